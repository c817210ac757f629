"""Targets for what parties carry to each other around the protocol: histories, receipts, Tasks, enrolments, TOML."""

import base64
import json
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import DecodeError

from headwater.agreement.charge import charge_of
from headwater.agreement.charter import SignedCharter
from headwater.agreement.enrolment import EnrolmentClaim
from headwater.agreement.invitation import secret_digest
from headwater.agreement.plan import Plan
from headwater.agreement.receipt_check import check_receipts
from headwater.agreement.receipt_file import ReceiptFile
from headwater.agreement.session import roster_of, terms_of
from headwater.agreement.signing import public_key_hex
from headwater.agreement.succession import CharterHistory
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.errors import InputError, PeerError
from headwater.recipe.private_steps import private_steps
from headwater.recipe.task import Task
from headwater.recipe.tasks import histograms_task, marginals_task, update_task
from headwater.rpc.v1 import enrolment_pb2
from headwater.schema import Schema
from headwater.schema.table import Table
from headwater.secagg.protocol.events import SessionReady
from headwater_client.policy import Policy
from headwater_client.task_check import TaskGate
from headwater_server.authority import Authority
from headwater_server.services.enrolment import admit
from support.consortium import ConsortiumInMemory
from support.fuzzing.choices import Choices
from support.fuzzing.damage import damage_bytes, damage_json
from support.network import World
from support.private import first_task, private_plan
from support.recipes import small_plan, small_table
from support.succession import following, signed_by

__all__ = [
    "contributions",
    "enrolment",
    "enrolments",
    "histories",
    "proved",
    "receipt_file",
    "receipts",
    "settings_texts",
]

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@cache
def receipt_file() -> ReceiptFile:
    """What one member holds of a run with a sum, an abort and a second session."""
    world = World(3)
    agreed = ConsortiumInMemory(2, world.coordinator_key, dict(world.identity))
    proposal = agreed.proposal()
    plan, run_id = proposal.proposal.plan, proposal.proposal.run_id
    world.roster = roster_of(agreed.charter(), plan)
    world.__dict__["terms"] = lambda attempt: terms_of(plan, run_id, attempt)
    world.attempt = 0
    openings = {}
    charge = charge_of(plan, histograms_task(plan, 1))
    for attempt in (1, 2):
        world.new_attempt()
        world.join(last_receipt=world.chain[-1] if world.chain else None)
        world.run()
        world.begin(charge=charge)
        world.run()
        world.begin(charge=charge)
        world.coordinator_does(world.aggregator.close("enough", world.now))
        world.run()
        ready = [event for event in world.aggregator_events if isinstance(event, SessionReady)]
        openings[attempt] = ready[-1].opening
    return ReceiptFile(
        member="org-1",
        charters=(agreed.signed_charter(),),
        proposal=proposal,
        documents=tuple(world.chain),
        openings=openings,
        confirmed=(1,),
    )


def receipts(data: bytes) -> None:
    """A file of receipts is what it was, or the reader is told what is off."""
    choices, whole = Choices(data), receipt_file()
    document = json.loads(whole.to_bytes())
    kind = choices.below(3)
    if kind == 0:
        found = whole.to_bytes()
    elif kind == 1:
        found = damage_json(whole.to_bytes(), choices)
    else:
        held = document["documents"]
        place = choices.below(len(held))
        old = base64.b64decode(held[place])
        held[place] = base64.b64encode(damage_bytes(old, choices, whole.documents)).decode()
        found = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    try:
        file = ReceiptFile.from_bytes(found)
        checked = check_receipts(file)
    except (InputError, PeerError):
        assert kind, "the honest file was refused"
        return
    honest = [document.digest for document in check_receipts(whole).rounds]
    # Links can be cut off at the end, which comparing heads shows; nothing else goes unnoticed.
    assert [document.digest for document in checked.rounds] == honest[: len(checked.rounds)]


@cache
def _versions() -> tuple[SignedCharter, ...]:
    agreed = ConsortiumInMemory(4)
    first = agreed.signed_charter()
    versions = [first]
    for minimum in (3, 4):
        charter = following(versions[-1].charter, minimum_cohort=minimum)
        versions.append(signed_by(charter, agreed.coordinator_key, agreed.keys, former_keys=agreed.keys))
    return tuple(versions)


def histories(data: bytes) -> None:
    """A history of charters is a part of the real one from its first version, or it is refused."""
    choices, shown = Choices(data), list(_versions())
    changes = choices.below(4)
    for _ in range(changes):
        place = choices.below(max(1, len(shown)))
        match choices.below(4):
            case 0:
                shown[place : place + 1] = []
            case 1:
                shown.insert(choices.below(4), choices.pick(_versions()))
            case 2 if shown:
                try:
                    shown[place] = SignedCharter.from_bytes(damage_json(shown[place].to_bytes(), choices))
                except InputError:
                    return
            case _:
                shown.reverse()
    try:
        history = CharterHistory(tuple(shown))
        history.check_holds(_versions()[0].charter)
    except PeerError:
        assert changes, "the real history was refused"
        return
    real = [signed.charter.digest for signed in _versions()]
    assert [signed.charter.digest for signed in history.charters] == real[: len(history.charters)]


@cache
def _asked() -> tuple[tuple[Plan, bytes, bytes], ...]:
    """Plan, Task and model of each kind of round of small plans, without a budget and under one."""
    from headwater.generator.model import Model
    from headwater.generator.network import Critic, Generator
    from headwater.generator.spec import GeneratorSpec

    plan, _ = _table()
    counts = Histograms.of(plan.schema_, plan.recipe.encoding)
    encoding = Encoding.fit(plan.schema_, counts.count(small_table()), plan.recipe.encoding)
    # Only the plan's network is trained.
    label, network = plan.schema_.target_index, plan.recipe.network
    spec = GeneratorSpec(encoding.sizes, label=label, condition=plan.recipe.condition, **network.model_dump())
    made = Model.of(Generator(spec), critic=Critic(spec))
    model, weights = made.to_bytes(), len(made.generator) + len(made.critic)
    private = private_plan(1.0)
    second = private_steps(private)[1].event
    return (
        (plan, histograms_task(plan, 1).to_bytes(), b""),
        (plan, marginals_task(plan, 2, encoding, [(0, 2), (1, 6)]).to_bytes(), b""),
        (plan, update_task(plan, 3, encoding, model, weights).to_bytes(), model),
        (private, first_task(private).to_bytes(), b""),
        (private, marginals_task(private, 2, encoding, [(0, 6), (1, 6)], second).to_bytes(), b""),
    )


@cache
def _table() -> tuple[Plan, Table]:
    return small_plan(), small_table(40)


def contributions(data: bytes) -> None:
    """An organisation answers a Task of the plan with exactly its vector, and refuses any other with a named error."""
    from headwater.contribution.contribute import contribute

    choices, (_, rows) = Choices(data), _table()
    plan, task_bytes, model = choices.pick(_asked())
    kind = choices.below(3)
    if kind == 1:
        task_bytes = damage_json(task_bytes, choices)
    elif kind == 2 and model:
        model = damage_bytes(model, choices)
        document = json.loads(task_bytes) | {"model_digest": sha256(model).hexdigest()}
        task_bytes = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    try:
        read = Task.from_bytes(task_bytes)
        task = TaskGate(plan).admit(task_bytes, model, read.length, charge_of(plan, read))
        vector = contribute(task, model, rows, plan, members=3)
    except (InputError, PeerError):
        assert kind, "the plan's own Task was refused"
        return
    assert vector.shape == (task.length,)


@cache
def enrolment() -> tuple[enrolment_pb2.EnrolRequest, Authority, ConsortiumInMemory]:
    """An honest request to enrol, the authority that it goes to, and whose keys it names."""
    agreed, key = ConsortiumInMemory(), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "org-1")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    flower = ec.generate_private_key(ec.SECP384R1()).public_key()
    form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    pem = request.public_bytes(serialization.Encoding.PEM)
    filled = enrolment_pb2.EnrolRequest(
        secret=bytes(32), member_id="org-1", name="One", csr_pem=pem, flower_public_key=flower.public_bytes(*form)
    )
    return proved(filled, agreed), Authority.create("Test", NOW), agreed


def proved(request: enrolment_pb2.EnrolRequest, agreed: ConsortiumInMemory) -> enrolment_pb2.EnrolRequest:
    """The request under its identity key's proof, whatever it says."""
    identity = agreed.keys["org-1"]
    request.identity_key = bytes.fromhex(public_key_hex(identity))
    claim = EnrolmentClaim(
        member_id=request.member_id,
        name=request.name,
        identity_key=request.identity_key.hex(),
        secret_sha256=secret_digest(request.secret),
        csr_sha256=sha256(request.csr_pem).hexdigest(),
        flower_public_key=request.flower_public_key.decode("ascii", "replace"),
    )
    request.proof = claim.signed_by(identity)
    return request


def enrolments(data: bytes) -> None:
    """A request to enrol gets a certificate for the id that it proves, or a named refusal."""
    choices = Choices(data)
    honest, authority, agreed = enrolment()
    request = enrolment_pb2.EnrolRequest()
    request.CopyFrom(honest)
    try:
        kind = choices.below(5)
        match kind:
            case 0:
                pass
            case 1:
                request.ParseFromString(damage_bytes(honest.SerializeToString(), choices))
            case 2:
                request.csr_pem = damage_bytes(honest.csr_pem, choices)
                proved(request, agreed)
            case 3:
                request.flower_public_key = damage_bytes(honest.flower_public_key, choices)
                proved(request, agreed)
            case _:
                request.name = choices.rest().decode("utf-8", "replace")
                proved(request, agreed)
    except (DecodeError, ValueError):
        return
    try:
        member = admit(request, authority, NOW)
    except (InputError, PeerError):
        assert kind, "an honest enrolment was refused"
        return
    assert member.member_id == request.member_id


def settings_texts(data: bytes) -> None:
    """TOML that a person was sent is a schema, a plan or a policy, or a named error."""
    choices = Choices(data)
    kind, text = choices.pick(_texts())
    spoilt = damage_bytes(text.encode(), choices) if choices.below(2) else choices.rest()
    try:
        kind.from_toml(spoilt.decode("utf-8", "replace"))
    except InputError:
        return


@cache
def _texts() -> tuple[tuple[type[Schema] | type[Plan] | type[Policy], str], ...]:
    plan = ConsortiumInMemory().plan()
    return ((Schema, plan.schema_.to_toml()), (Plan, plan.to_toml()), (Policy, "[standing_approval]\n"))
