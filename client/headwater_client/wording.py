"""Charter, plan and policy in plain words: what a person compares, approves and agrees to."""

from headwater.agreement.audit_words import audit_in_words
from headwater.agreement.charter import Charter
from headwater.agreement.differencing import choice_in_words
from headwater.agreement.generator_terms import generator_in_words
from headwater.agreement.plan import Plan
from headwater.agreement.signing import fingerprint
from headwater.privacy.words import NOT_PRIVATE, budget_in_words, repeats_in_words
from headwater.recipe.local_training import local_training
from headwater.recipe.settings import EVALUATIONS
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn

__all__ = [
    "column_in_words",
    "comparison_advice",
    "digest_in_groups",
    "plan_in_words",
]

_NO_PRIVACY = (
    f"none — this run is {NOT_PRIVATE}: exact sums over the organisations reach the coordinator, and small groups may "
    "be recognised in them"
)


def digest_in_groups(digest: str) -> str:
    """A digest as people compare it: groups of four hexadecimal digits."""
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def comparison_advice(charter: Charter, member_id: str) -> tuple[str, ...]:
    """What to compare before the charter is accepted, and over which channel; one line each."""
    others = [member.name for member in charter.members if member.id != member_id]
    return (
        "Compare the charter digest with every other organisation by a channel that the coordinator does not run: "
        "telephone a number that you know, or meet.",
        f"Ask each of {', '.join(others)} to read its own key aloud, and read yours to them.",
        "One differing group means that somebody stands in between: do not accept.",
    )


def member_keys_in_words(charter: Charter) -> tuple[tuple[str, str, str], ...]:
    """(id, name, key in groups) of the coordinator and each member."""
    rows = [("coordinator", charter.consortium, fingerprint(charter.coordinator_key))]
    rows.extend((member.id, member.name, fingerprint(member.identity_key)) for member in charter.members)
    return tuple(rows)


def plan_in_words(plan: Plan, charter: Charter) -> tuple[tuple[str, str], ...]:
    """What a run of this plan would do with the organisation's rows, as (subject, sentence) pairs."""
    terms = plan.aggregation
    target = plan.schema_.target
    sensitive = [column.name for column in plan.schema_.columns if column.sensitive]
    as_many = "the organisations have training rows" if plan.privacy == "none" else "the noisy counts estimate"
    result = f"{plan.rows:,} synthetic rows" if plan.rows else f"as many synthetic rows as {as_many}"
    return (
        ("plan", f"{plan.name}, digest {digest_in_groups(plan.digest)}"),
        ("what it does", _steps_in_words(plan)),
        ("columns", f"{len(plan.schema_.columns)}: {', '.join(plan.schema_.names)}"),
        ("to be predicted", target.name if target is not None else "no column"),
        ("sensitive", ", ".join(sensitive) if sensitive else "no column is marked"),
        ("your rows", _splits_in_words(plan)),
        ("training here", _training_in_words(plan)),
        ("after a sick round", _remedies_in_words(plan)),
        ("rounds", _rounds_in_words(plan)),
        (
            "who sees what",
            f"the coordinator sees sums over at least {max(terms.minimum_cohort, charter.minimum_cohort)} "
            f"organisations, as long as no more than {terms.colluders} of them "
            f"{'works' if terms.colluders == 1 else 'work'} with it; never one organisation's vector",
        ),
        ("privacy", _NO_PRIVACY if plan.privacy == "none" else budget_in_words(plan.privacy)),
        ("when one drops out", choice_in_words(terms.on_membership_change)),
        ("audit", audit_in_words(plan)),
        ("its generator", f"{plan.release.generator}: {generator_in_words(plan.release.generator)}"),
        ("result", result),
        ("code", f"only what is installed here; Flower bundle {plan.stub_sha256[:16]}"),
    )


def _steps_in_words(plan: Plan) -> str:
    """Every kind of round that the organisation's rows go into, in their order."""
    recipe, training = plan.recipe, local_training(plan)
    steps = ["sums of pixels and of their products"] if plan.schema_.images else []
    steps.append("counts over all organisations")
    if plan.privacy != "none":
        return ", then ".join([*steps, *_gradients_in_words(plan)]) + "; no network is trained here"
    if recipe.climbs:
        steps.append(
            f"at most {recipe.expectation_rounds} rounds in which each sums what its rows say of a mixture of "
            "distributions"
        )
    if training is None:
        return f"{', then '.join(steps)}; no network is trained here"
    what = "trains on its own rows"
    if recipe.kind == "adversarial":
        what = f"trains a network{' of pictures' if training.pictures else ''} from scratch on its own rows"
    steps.append(f"{training.rounds} rounds in which each {what}")
    if recipe.refines:
        steps.append(f"at most {EVALUATIONS} in which each counts what the critic says of its rows")
    calibrated = recipe.kind == "adversarial" and not training.pictures and recipe.adversarial.calibration
    return ", then ".join(steps) + ("; at the end the coordinator fits it to the counts" if calibrated else "")


def _gradients_in_words(plan: Plan) -> tuple[str, ...]:
    if plan.recipe.kind != "hybrid":
        return ()
    critic = plan.recipe.private.critic
    return (
        f"{critic.steps} sums of a critic's clipped gradients, each over a secret sample with every row in it by a "
        f"chance of {critic.rate:.3g}",
    )


def _training_in_words(plan: Plan) -> str:
    training = local_training(plan)
    if training is None:
        return "none"
    return (
        f"{training.local_steps} steps of {training.batch} rows a round; the update is clipped to norm "
        f"{training.clip:g}"
    )


def _remedies_in_words(plan: Plan) -> str:
    training = local_training(plan)
    if training is None or not training.remedies:
        return "nothing changes"
    return (
        f"the coordinator may ask for smaller steps, a weaker critic or a tighter clip, at most {training.remedies} "
        "steps of each; "
        f"after {plan.recipe.health.refusals} such rounds in a row training ends"
    )


def _rounds_in_words(plan: Plan) -> str:
    sums = f"at most {plan.paid_rounds} secure sums"
    if plan.privacy == "none":
        return f"{sums}, {plan.paid_repeats} repeated ones among them"
    return f"{sums}; repeats: {repeats_in_words(plan.paid_repeats)}"


def _splits_in_words(plan: Plan) -> str:
    shares = plan.splits
    return (
        f"{shares.train:.0%} for counting and training, {shares.validation:.0%} for choosing between models, "
        f"{shares.audit:.0%} kept aside for {'audits' if plan.audit == 'none' else 'the audit'}; they stay on this "
        "machine"
    )


def column_in_words(column: Column) -> str:
    """One column of the schema: kind, public bounds or categories, missing or not."""
    return f"{_range_in_words(column)}{', may be missing' if column.missing else ''}"


def _range_in_words(column: Column) -> str:
    match column:
        case NumericColumn():
            kind = "whole number" if column.integer else "number"
            most = "" if column.decimals is None else f" with {column.decimals} decimals at most"
            return f"{kind} from {column.lower:g} to {column.upper:g}{most}"
        case DateColumn():
            return f"date from {column.lower} to {column.upper}"
        case ImageColumn():
            return f"picture of {column.height} × {column.width} pixels, each one of {column.levels} levels"
        case BooleanColumn() | CategoricalColumn():
            return f"one of {', '.join(column.categories)}"
