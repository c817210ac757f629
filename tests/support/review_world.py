"""Three organisations that approved a run, at a served coordinator with a release of it that waits."""

from datetime import UTC, datetime
from pathlib import Path

from headwater.agreement.documents import instant_of
from headwater.agreement.generator_terms import GeneratorTerms, ReleaseTerms
from headwater.agreement.plan import Plan
from headwater.audit.expected import expected_figures
from headwater.canonical import sha256_hex
from headwater.evidence.settings import AuditSettings
from headwater.evidence.terms import AuditTerms
from headwater.flower_bundle import bundle_sha256
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import MixtureSampler
from headwater.release.attacked import attacked_digest
from headwater.release.attempts import Attempt, attempt_after
from headwater.release.evidence import Attacked
from headwater.release.policy import decide, load_policy
from headwater.release.privacy_claim import Privacy
from headwater.release.rows import candidate_bytes
from headwater_client import Organisation
from headwater_server.release import ReleaseRequest
from headwater_server.releasing.evidence import settings_digest
from headwater_server.releasing.extras import ExtrasRequest
from headwater_server.releasing.gate import GateOutcome
from headwater_server.releasing.preparing import prepare_release
from headwater_server.sampling.source import bundle_folder
from headwater_server.services.ports import ReleaseRecord
from support.claims import BUDGET, make_claim
from support.drawings import drawn_once
from support.evidences import FEDERATION, PRIVACY, fitting, honest_measures, make_evidence
from support.mixtures import mixture_of, together
from support.private import private_plan
from support.recipes import SCHEMA, small_plan, small_table
from support.rpc import shared_loop
from support.served import ServedCoordinator, coordinate, organise

__all__ = ["RUN", "World"]

RUN = "0a" * 16


class World:
    """Three organisations that approved a run, and a candidate of it that passed the gate."""

    def __init__(self, folder: Path, *, private: bool = False, terms: GeneratorTerms = "kept") -> None:
        """Enrol three, have a charter accepted and a plan approved, and let a release wait.

        Args:
            folder: for all homes.
            private: whether the plan has a budget.
            terms: of the plan's generator; a bundle of a small mixture is that of the run.
        """
        self.policy = "standard" if private else "non-private"
        self.privacy: Privacy = make_claim() if private else "none"
        self.coordinator = ServedCoordinator(folder / "coordinator", shared_loop())
        self.storage, self.home = self.coordinator.storage, self.coordinator.home
        self.homes = {f"org-{number}": folder / f"org-{number}" for number in (1, 2, 3)}
        for member, home in self.homes.items():
            self.coordinator.enrol(member, home)
        assert coordinate("charter", "propose", home=self.home.folder).exception is None
        proposed = self.storage.charter()
        assert proposed is not None
        self.charter = proposed.charter
        drafted = private_plan(BUDGET.epsilon) if private else small_plan("marginals", 1)
        content = drafted.model_dump(by_alias=True) | {
            "audit": AuditTerms(policy=self.policy),
            "stub_sha256": bundle_sha256(),
            "release": ReleaseTerms(generator=terms),
        }
        self.plan = Plan.model_validate(content)
        for home in self.homes.values():
            assert organise("charter", "accept", "--digest", self.charter.digest, home=home).exception is None
        self.coordinator.propose(self.plan, RUN, self.charter.digest)
        for home in self.homes.values():
            self.open(home).approve(RUN, self.plan.digest)
        self.log: list[Attempt] = []
        _, encoding, form, features = together()
        self.bundle = Bundle(MixtureSampler(mixture_of(form, features)), encoding)
        self.digest = self.bundle.save(bundle_folder(self.home, RUN))
        self.record = self.wait()

    def open(self, home: Path) -> Organisation:
        """An organisation, closed by whoever ends the test."""
        return Organisation.open(home)

    def wait(self, *, extras: ExtrasRequest | None = None, **changes: object) -> ReleaseRecord:
        """A release of the run that waits, with what is asked for beside its rows."""
        table, policy = small_table(200, seed=9), load_policy(self.policy)
        now = instant_of(datetime.now(UTC))
        values: dict[str, object] = {
            "candidate": sha256_hex(candidate_bytes(table)),
            "rows": table.rows,
            "settings": settings_digest(self.plan.audit.settings),  # type: ignore[union-attr]
            "privacy": "none" if self.privacy == "none" else PRIVACY,
            "started": now,
            "ended": now,
        }
        if self.privacy == "none":
            attacked = Attacked(candidate=attacked_digest(table), step=3, checks=())
            values["federation"] = FEDERATION.model_copy(update={"attacked": attacked})
        else:
            # What a coordinator has: canaries, controls, ledger and files, and nothing of a row.
            of_rows = (
                "membership",
                "linkability",
                "inference",
                "copies",
                "marginals",
                "coverage",
                "usefulness",
                "bias",
            )
            free = [measure for measure in honest_measures() if not measure.check.startswith(of_rows)]
            values |= {"source": "each organisation for itself", "measures": free}
        values |= changes
        expected = expected_figures(SCHEMA, AuditSettings())
        values["measures"] = fitting(values.get("measures", honest_measures()), expected)  # type: ignore[arg-type]
        evidence = make_evidence(**values)  # type: ignore[arg-type]
        decision = decide(evidence, policy, now=now, keys=self.charter.keys, expected=expected)
        self.log.append(attempt_after(self.log, decision, RUN, self.plan.digest))
        outcome = GateOutcome(
            RUN, self.plan, self.charter, self.privacy, table, evidence, decision, policy, (), tuple(self.log)
        )
        result = {"organisations": 3, "generator_digest": self.digest}
        request = ReleaseRequest("visits", licence="CC0")
        key = self.home.charter_key()
        with drawn_once():
            return prepare_release(
                self.home, self.storage, outcome, request, result, key, datetime.now(UTC), extras=extras
            )

    def folder(self, member: str) -> Path:
        """Where an organisation keeps what it reviewed."""
        return self.homes[member] / "releases" / self.record.release_digest
