"""From a decision that lets rows be published to a release that waits for its signatures."""

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.differencing import differencing_of
from headwater.audit.artefacts import scan
from headwater.errors import OutOfOrder, ReleaseRefused, StorageError
from headwater.release import write_release
from headwater.release.attestation import statement_of
from headwater.release.verdict import publishable
from headwater_server.figures.columns import draw_release
from headwater_server.release import ReleaseRequest, RunFacts, checked_name, facts_of, next_version
from headwater_server.releasing.extras import ExtrasRequest, agreed_terms, draw_extras
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.releasing.gate import GateOutcome
from headwater_server.releasing.large import remove_large
from headwater_server.runs.round_words import ended_on
from headwater_server.services.ports import ReleaseRecord, ReleaseState
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import Storage

__all__ = ["prepare_release"]


def prepare_release(
    home: CoordinatorHome,
    storage: Storage,
    outcome: GateOutcome,
    request: ReleaseRequest,
    result: Mapping[str, object],
    key: Ed25519PrivateKey,
    now: datetime,
    *,
    schema_from_rows: bool = False,
    extras: ExtrasRequest | None = None,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> ReleaseRecord:
    """Write a release where the catalogue does not serve it, signed by the coordinator alone, and record that it waits.

    Args:
        home: of the coordinator.
        storage: of the home.
        outcome: of the gate, publishable.
        request: name and words.
        result: what the run left.
        key: the charter's coordinator key.
        now: with a time zone; not before the decision.
        schema_from_rows: a program read the schema's bounds and categories from rows.
        extras: what is asked for beside the rows; None for what the plan says.
        on_rows: told how many of very many rows are drawn so far.

    Raises:
        InputError: the name cannot be used, or the generator cannot draw what is asked for.
        OutOfOrder: the version that waivers are for was taken meanwhile.
        ReleaseRefused: the decision lets nothing be published, or a file holds what must not be.
        StorageError: the disk or the database did not take it; nothing waits.
    """
    if not publishable(outcome.decision.verdict):
        raise ReleaseRefused(f"the gate says {outcome.decision.verdict}; nothing can be released")
    name, folders, audit = checked_name(request.name), ReleaseFolders(home), outcome.audit
    run = _run_facts(outcome, result, schema_from_rows)
    figures, charts = draw_release(outcome.table, audit)
    asked = extras or ExtrasRequest()
    terms = agreed_terms(asked, outcome.plan, outcome.policy)
    beside = draw_extras(home, outcome.run_id, run.generator_digest or "", asked, terms, outcome.table.rows, on_rows)
    with folders.held():
        # Under the lock no other command can take the version meanwhile, nor a sweep the folder.
        version = max(storage.next_version(name), next_version(home.releases, name))
        if outcome.waivers and outcome.release != f"{name}/{version}":
            raise OutOfOrder(
                f"{outcome.release} was taken by another command meanwhile, and its waivers are for no other; run this "
                "again"
            )
        facts = facts_of(name, version, outcome.table, request, run, now)
        staging = folders.staging()
        try:
            signed = write_release(staging, outcome.table, facts, key, figures, audit, charts, beside)
            _refuse_artefacts(staging, outcome)
            record = ReleaseRecord(
                release_digest=signed.manifest.digest,
                run_id=outcome.run_id,
                charter_digest=outcome.charter.digest,
                name=name,
                version=version,
                statement=statement_of(signed.manifest, signed.to_bytes(), audit),
                verdict=outcome.decision.verdict,
                state=ReleaseState.WAITING,
                created=facts.created,
            )
            folders.add(record.release_digest, staging)
        except OSError as error:
            raise StorageError(f"{home.pending} cannot be written: {error.strerror}; make room") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        storage.add_release(record)
    if asked.large_rows:
        remove_large(home, outcome.run_id)
    return record


def _refuse_artefacts(staging: Path, outcome: GateOutcome) -> None:
    """Scan what will be published, card and plots too: the gate saw rows and schema, which these follow from."""
    found = scan(staging, outcome.table.schema)
    if found:
        told = "; ".join(finding.in_words() for finding in found[:5])
        raise ReleaseRefused(f"the files of the release hold what must not be published: {told}; nothing waits")


def _run_facts(outcome: GateOutcome, result: Mapping[str, object], schema_from_rows: bool) -> RunFacts:
    plan = outcome.plan
    return RunFacts(
        consortium=outcome.charter.consortium,
        organisations=int(str(result["organisations"])),
        run_id=outcome.run_id,
        plan_digest=plan.digest,
        charter_digest=outcome.charter.digest,
        generator_digest=str(result["generator_digest"]),
        differencing=differencing_of(plan.aggregation.on_membership_change),
        privacy=outcome.privacy,
        schema_from_rows=schema_from_rows,
        refused_rounds=int(str(result.get("refused_rounds", 0))),
        released=str(result.get("released", "")),
        ended_on=ended_on(result.get("ended_on")),
    )
