"""The same requests to Headwater's machines; what is shown is what they answer in this run."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from time import perf_counter

import numpy as np
from headwater_members import Members
from outcome import Outcome

from headwater.agreement.charge import charge_of
from headwater.agreement.plan import AggregationTerms, Plan
from headwater.errors import PeerError
from headwater.flower_bundle import bundle_sha256
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from headwater.recipe.settings import FitSettings, RecipeSettings
from headwater.recipe.task import Task
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.protocol.pairing import mask_key
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import Confirm, Hello, Hellos, Message, Quorum, Start, Survivors, Upload
from headwater_client.task_check import TaskGate

__all__ = ["both_lists", "invented_peers", "other_parameters", "seed_entropy", "smaller_threshold"]

VALUES = 1000


def both_lists(generator: np.random.Generator) -> Outcome:
    """The list of survivors with everybody on it; then, to the same members, the list on which one has dropped."""
    members = Members(5, VALUES, generator)
    members.open()
    members.lie(Quorum, lambda member, message: None)
    members.round()
    uploads = [
        (name, Upload.decode(open_envelope(data)))
        for name, data in members.sent
        if open_envelope(data).type is Upload.TYPE
    ]
    victim, rho = members.names[0], uploads[0][1].rho
    rows = tuple(sorted((name, upload.vector_digest) for name, upload in uploads))
    dropped = Survivors(1, rho, tuple(row for row in rows if row[0] != victim))
    for name in members.names[1:]:
        members.tell(name, members.forge(dropped))
    # Then the true quorum: whoever still takes part opens the first list's kind of share, and no other.
    members.to_member = lambda member, data: [data]
    confirms = [data for _, data in members.sent if open_envelope(data).type is Confirm.TYPE]
    for name in members.names:
        members.tell(name, members.forge(Quorum(1, tuple(confirms))))
    own = {dealer for _, reveal in members.reveals for dealer, _ in reveal.self_shares}
    bundle = {dealer for _, reveal in members.reveals for dealer, _ in reveal.bundle_shares}
    opened_twice = len(own & bundle)
    refused = _refused(members, members.names[1:])
    return dataclasses.replace(
        refused,
        opened=refused.opened or opened_twice > 0 or len(own) < 5,
        text=f"{refused.text}; then {len(own)} of 5 opened for the one sum, "
        f"{opened_twice or 'nobody'} with both kinds of share",
    )


def other_parameters(generator: np.random.Generator) -> Outcome:
    """A session under other parameters than the approved plan's, then Tasks with another clip or another width."""
    members = Members(5, VALUES, generator)
    members.open(dataclasses.replace(members.terms, plan_digest=b"p" * 32, value_bits=1))
    session = _refused(members, members.names)
    gate, task, charge = _gate()
    said = []
    for change in ({"clip": 1e-9}, {"value_bits": 1}):
        try:
            gate.admit(task.model_copy(update=change).to_bytes(), b"", task.length, charge)
        except PeerError as error:
            said.append(str(error))
    return Outcome(session.opened or len(said) < 2, f"{session.text}; the Tasks: {_quoted(said)}")


def smaller_threshold(generator: np.random.Generator) -> Outcome:
    """A cohort, a list of survivors, and a quorum of fewer than T: no message has a place for T itself."""
    outcomes = []
    for kind, name, keep in ((Start, "entries", 2), (Survivors, "uploads", 3), (Quorum, "confirms", 3)):
        members = Members(5, VALUES, generator)
        members.open()
        members.lie(kind, partial(_cut, name, keep))
        members.round()
        shares = sum(len(reveal.self_shares) for _, reveal in members.reveals)
        refused = _refused(members, members.names[:keep])
        outcomes.append(dataclasses.replace(refused, opened=refused.opened or shares > 0))
    return Outcome(any(outcome.opened for outcome in outcomes), "; ".join(outcome.text for outcome in outcomes))


def invented_peers(generator: np.random.Generator) -> Outcome:
    """Hellos with a member that the charter lacks, then with keys of the coordinator's own under a member's name."""
    texts, opened = [], False
    for name in ("invented", "org-4"):
        members = Members(5, VALUES, generator)

        members.lie(Hellos, partial(_with_own_hello, members, name), setup=True)
        members.open()
        refused = _refused(members, members.names)
        texts.append(refused.text)
        opened = opened or refused.opened or bool(members.sid)
    return Outcome(opened, "; ".join(texts))


def seed_entropy(generator: np.random.Generator) -> Outcome:
    """The mask key of a pair: which of its bits change the mask, and how long trying all keys takes."""
    secret, rho = Secret.fresh().value, generator.bytes(32)
    masks = {_mask(secret, rho)}
    started = perf_counter()
    for bit in range(8 * len(secret)):
        masks.add(_mask(bytes(value ^ (1 << bit % 8) * (place == bit // 8) for place, value in enumerate(secret)), rho))
    rate = 8 * len(secret) / (perf_counter() - started)
    years = 2.0 ** (8 * len(secret)) / rate / 31_557_600
    return Outcome(
        len(masks) != 257,
        f"a secret of {8 * len(secret)} bits from the key exchange keys AES-256: {len(masks) - 1} of "
        f"{8 * len(secret)} single-bit changes give another mask; at {rate:,.0f} keys/s all take {years:.0e} years",
        otherwise="NOT OPENED",
    )


def _mask(secret: bytes, rho: bytes) -> bytes:
    values = np.zeros(16, dtype=np.uint32)
    MaskStream([mask_key(Secret(secret), rho)], []).apply(values)
    return values.tobytes()


def _gate() -> tuple[TaskGate, Task, bytes]:
    """What an organisation holds Tasks to under a small plan, the plan's first Task, and its charge."""
    schema = Schema(
        name="visits",
        columns=(
            NumericColumn(name="age", lower=0, upper=100, integer=True),
            CategoricalColumn(name="back", categories=("no", "yes"), role="target"),
        ),
    )
    recipe = RecipeSettings(rounds=1, fit=FitSettings(steps=1))
    plan = Plan(
        name="visits",
        schema=schema,
        recipe=recipe,
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy="none",
        stub_sha256=bundle_sha256(),
    )
    action = build_recipe(plan).next()
    if not isinstance(action, Aggregate):
        raise TypeError("the recipe begins with something else than a sum")
    return TaskGate(plan), action.task, charge_of(plan, action.task)


def _with_own_hello(members: Members, name: str, member: str, message: Hellos) -> Hellos:
    """The Hellos with one under this name that the coordinator signed."""
    rows = {open_envelope(data).sender: data for data in message.hellos}
    hello = dataclasses.replace(Hello.decode(open_envelope(message.hellos[0])), session_key=b"k" * 32)
    rows[name] = sign_envelope(Hello.TYPE, name, hello.encode(), members.key, members.context)
    return Hellos(tuple(rows[name] for name in sorted(rows)))


def _cut(name: str, keep: int, member: str, message: Message) -> Message:
    return dataclasses.replace(message, **{name: getattr(message, name)[:keep]})


def _refused(members: Members, asked: Sequence[str]) -> Outcome:
    """Whether each member that was asked refused, in the words of the first."""
    said = dict(reversed(members.refusals))
    refusing = [name for name in asked if name in said]
    return Outcome(
        len(refusing) < len(asked),
        f"{len(refusing)} of {len(asked)} refuse: {_quoted([said[refusing[0]]] if refusing else [])}",
    )


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(f"“{text}”" for text in texts) or "nothing was said"
