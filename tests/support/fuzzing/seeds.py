"""What fuzzing starts from: real traffic and real documents, made anew in a second, never stored."""

from collections.abc import Collection
from functools import cache

import numpy as np

from headwater.agreement.documents import Document
from headwater.agreement.invitation import Invitation
from headwater.agreement.ledger import Ledger, SignedLedger
from headwater.agreement.signing import public_key_hex
from headwater.canonical import canonical_json, sha256_hex
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.recipe.task import Task, TaskNoise
from headwater.release.manifest import FileEntry, Manifest, Protection, Provenance, SignedManifest
from headwater.release.withdrawal import SignedWithdrawal, Withdrawal
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.secagg import Aggregator, Participant
from headwater.secagg.protocol.events import COORDINATOR
from headwater.secagg.wire.envelope import MessageType
from support.consortium import CREATED, ConsortiumInMemory
from support.fuzzing.choices import Choices
from support.fuzzing.forging import volunteered
from support.fuzzing.hostile import HostileWorld
from support.fuzzing.witness import KINDS
from support.ledgers import chained
from support.network import kind_of

__all__ = ["SENT", "STAGES", "bundle_files", "documents", "tasks", "traffic", "world_before"]

_UNASKED = (MessageType.COMPLAINT, MessageType.SEED, MessageType.REFUSAL, MessageType.ABORT, MessageType.CLOSE)
_NEVER_ALONE = (MessageType.DEAL_HEADER, MessageType.START_RECORD)

SENT = tuple(kind for kind in MessageType if kind in KINDS and kind not in _NEVER_ALONE)
"""Types that travel by themselves."""


_COORDINATORS = frozenset(Participant._HANDLERS) - frozenset(Aggregator._SETUP)


STAGES = tuple(kind for kind in SENT if kind not in _UNASKED)
"""Types whose first message `world_before` waits for."""


def world_before(kind: MessageType, liars: Collection[str] = (COORDINATOR, "org-1")) -> HostileWorld:
    """An honest session of three up to the first message of this type, which is the next to be delivered."""
    broken = kind in (MessageType.INQUIRY, MessageType.BLOCKS)
    world = HostileWorld(4 if broken else 3, liars=frozenset(liars))
    for _ in range(200):
        if world.queue and kind_of(world.queue[0][2]) is kind:
            return world
        if world.queue:
            world.step()
        elif world.asked:
            # Whoever masks otherwise than it dealt makes the coordinator ask who it was.
            world.bent = {"org-1": Choices(b"\1")} if broken else {}
            world.answer_whole()
        else:
            world.ask(4, b"{}", b"model")
    raise LookupError(f"no {kind.name} is sent")


@cache
def traffic() -> tuple[tuple[str, str, bytes], ...]:
    """(sender, receiver, message) of an honest session, a dropout and a close, then of a round that somebody broke.

    Types that none of these need come as a liar would volunteer them, so that no type is left out.
    """
    world = world_before(MessageType.RECEIPT)
    world.run()
    world.ask(4)
    world.run()
    for member in world.names[:2]:
        world.answer(member, 100)
    world.decline(world.names[2])
    world.stop()
    world.run()
    broken = HostileWorld(4, liars=frozenset({"org-1"}))
    # The second Deal of the setup has another sealed share for org-0, who complains of it.
    broken.lie_in_wait(MessageType.DEAL, "lie", 1, Choices(bytes([2, 1, 0, 3, 7, 9])))
    broken.run()
    for _ in range(2):
        broken.ask(4)
        broken.run()
        broken.bent = {"org-1": Choices(b"\1")}
        broken.answer_whole()
        broken.run()
    found = [*world.traffic, *broken.traffic]
    seen = {kind_of(message) for _, _, message in found}
    liar = world_before(MessageType.SURVIVORS)
    for kind in SENT:
        if kind not in seen:
            sender = COORDINATOR if kind in _COORDINATORS else "org-1"
            found.append((sender, COORDINATOR, volunteered(liar, sender, kind)))
    return tuple(found)


@cache
def documents() -> dict[type[Document], bytes]:
    """One of each agreed document, by its class."""
    world = ConsortiumInMemory()
    proposal = world.proposal()
    invitation = Invitation.create(host="localhost", port=1, ca_sha256="a" * 64, member_id="org-1", name="One")
    manifest = Manifest(
        format="headwater-release/1",
        name="visits",
        version=1,
        title="Visits",
        licence="CC0",
        created=CREATED,
        rows=10,
        columns=2,
        protection=Protection.of("none", "one cohort"),
        provenance=Provenance(
            consortium="Test",
            organisations=3,
            run_id="0f" * 16,
            plan_digest="1" * 64,
            charter_digest="2" * 64,
            schema_digest="3" * 64,
            software="test",
        ),
        files=tuple(
            FileEntry(path=path, size_bytes=1, sha256="4" * 64, media_type="text/plain")
            for path in ("README.md", "data.parquet", "schema.toml")
        ),
    )
    found: tuple[Document, ...] = (
        world.charter(),
        world.signed_charter(),
        world.plan(),
        proposal,
        world.approval(proposal),
        invitation,
        SignedManifest.sign(manifest, world.coordinator_key),
        SignedLedger.sign(
            Ledger(
                member="org-1",
                identity_key=public_key_hex(world.keys["org-1"]),
                delta=1e-6,
                entries=chained(2),
            ),
            world.keys["org-1"],
        ),
        SignedWithdrawal.sign(
            Withdrawal(
                name=manifest.name,
                version=1,
                release=manifest.digest,
                withdrawn=CREATED,
                reason="one ward was counted twice",
                replaced_by=2,
            ),
            world.coordinator_key,
        ),
    )
    return {type(document): document.to_bytes() for document in found}


@cache
def tasks() -> tuple[bytes, ...]:
    """Tasks as a recipe writes them."""
    counts = Task(kind="histograms", step=1, length=12, value_bits=20, seed=3)
    update = Task(
        kind="update",
        step=4,
        length=90,
        value_bits=30,
        parameters={"encoding": {"version": 1}, "subsets": [[0, 1]]},
        seed=2**40,
        clip=1.5,
        scale=65536.0,
        model_digest="a" * 64,
    )
    noisy = counts.model_copy(update={"noise": TaskNoise(variance=4469, tables=2)})
    return counts.to_bytes(), update.to_bytes(), noisy.to_bytes()


@cache
def bundle_files() -> tuple[bytes, bytes, bytes]:
    """Manifest, model and encoding of the smallest bundle."""
    from headwater.generator.model import Model
    from headwater.generator.network import Critic, Generator
    from headwater.generator.spec import GeneratorSpec

    schema = Schema(
        name="small",
        columns=(
            NumericColumn(name="age", lower=0, upper=9, integer=True),
            CategoricalColumn(name="sort", categories=("a", "b"), role="target"),
        ),
    )
    settings = EncodingSettings()
    encoding = Encoding.fit(schema, np.ones(Histograms.of(schema, settings).length, np.int64), settings)
    spec = GeneratorSpec(encoding.sizes, label=1, latent=2, width=4, blocks=1, critic_width=2, critic_layers=1)
    model = Model.of(Generator(spec), critic=Critic(spec)).to_bytes()
    described = canonical_json({"schema": schema.to_document(), "encoding": encoding.to_document()})
    listed = {"generator.safetensors": sha256_hex(model), "encoding.json": sha256_hex(described)}
    return canonical_json({"version": 1, "files": listed}), model, described
