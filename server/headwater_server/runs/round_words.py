"""A round that is judged in plain words, for whoever watches a run."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from headwater.recipe.health import FLAG_WORDS
from headwater_server.runs.climb_words import attack_in_words

__all__ = [
    "EndedOn",
    "draws_in_words",
    "ended_on",
    "ending_in_words",
    "flags_in_words",
    "health_in_words",
    "judgement_in_words",
    "remedies_in_words",
    "training_outcome",
]

Record = Mapping[str, Any]
EndedOn = Literal["", "base", "checkpoint", "rung"]

_SIGNS = (
    ("entropy_ratio", "entropy {:.2f}"),
    ("duplicates", "duplicates {:.1%}"),
    ("tvd1", "1-way TVD {:.3f}"),
    ("latent_sensitivity", "sensitivity {:.3f}"),
)
_REMEDIES = {
    "collapse": "the generator learns at 1/{} of its rate, the critic's penalty is {} times as large",
    "critic": "the critic learns {} times less and sees rows and draws through noise",
    "oscillation": "momentum or rate is 1/{} of the plan's",
    "explosion": "updates are clipped at 1/{} of the plan's norm",
}


def health_in_words(record: Record) -> str:
    """Distance and signs of a model; "" where there is none, as after an update that nobody could send."""
    health = record.get("health") or {}
    if not health or "marginal_loss" not in record:
        return ""
    shown = [form.format(health[name]) for name, form in _SIGNS if name in health]
    return ", ".join([f"distance from marginals {record['marginal_loss']:.4f}", *shown])


def flags_in_words(record: Record) -> str:
    """Why a round was not taken, or what is wrong with one that was; "" where nothing is."""
    said = str(record.get("reason", ""))
    milder = [
        FLAG_WORDS[flag] for flag in record.get("flags", ()) if flag in FLAG_WORDS and FLAG_WORDS[flag] not in said
    ]
    # A sum that was refused before a merge says more itself than its flag does.
    return said or "; ".join(milder)


def remedies_in_words(record: Record) -> str:
    """What is changed from the next round on, "" where nothing is."""
    remedies = record.get("remedies") or {}
    said = [_REMEDIES[name].format(2**steps, 3**steps) for name, steps in remedies.items() if name in _REMEDIES]
    return "; ".join(said)


def ending_in_words(record: Record) -> str:
    """How a climb, training or its judgement ended before its last round."""
    if record["on"] == "rung":
        return (
            f"the climb ends on the mixture of {record['components']} components that stands, since a sum could not be "
            "one of honest contributions. Under masks nobody can tell whose it was"
        )
    if record.get("at") == "evaluate":
        return (
            "the base is released, since the sum that was to judge what training made of it could not be one of honest "
            "contributions. Under masks nobody can tell whose it was"
        )
    left = "the base that it began with" if record["on"] == "base" else "the last model taken"
    return (
        f"training ends: {record['refused']} rounds in a row were not taken; the run goes on with {left}. Under masks "
        "nobody can tell whose contribution it was"
    )


def training_outcome(history: Sequence[Record]) -> dict[str, int | str]:
    """Figures of a run's result: how many rounds were not taken, and what the run was cut short to."""
    judged = ("expectation", "update", "merge", "evaluate")
    refused = sum(record["kind"] in judged and not record.get("accepted", True) for record in history)
    ended = [str(record["on"]) for record in history if record["kind"] == "ended"]
    return {"refused_rounds": refused, "ended_on": ended[-1] if ended else ""}


def ended_on(stored: object) -> EndedOn:
    """What a stored result says that a climb or training was cut short to; "" where it says nothing."""
    match stored:
        case "base":
            return "base"
        case "checkpoint":
            return "checkpoint"
        case "rung":
            return "rung"
        case _:
            return ""


def judgement_in_words(record: Record) -> str:
    """What is released in the end, and why; or which round's networks are judged next, and why not the last one's."""
    if record.get("again"):
        if "next_round" not in record:
            return f"an earlier round is evaluated: {record['reason']}"
        return (
            f"the networks of training round {record['round']} are not released, those of round "
            f"{record['next_round']} are evaluated instead: {record['reason']}"
        )
    if not record["accepted"]:
        return f"the base is released: {record['reason']}"
    return (
        f"{draws_in_words(record)}: the critic tells them from rows with AUC {record['auc']:.3f}, the base's with "
        f"{record['base_auc']:.3f}; {attack_in_words(record)}"
    )


def draws_in_words(record: Record) -> str:
    """What a judgement that was accepted made of a mixture's draws, and which training round's networks do it."""
    weighed = f"weighed by {record['strength']:g} of the critic's opinion" if record["strength"] else ""
    how = " and ".join(part for part in ("refined" if record["refined"] else "", weighed) if part)
    trained = f", networks of training round {record['round']}" if "round" in record else ""
    return f"draws {how}{trained}"
