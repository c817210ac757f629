"""What a run's history tells of the generator that it released."""

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.mixture.attack import UNTESTED
from headwater.mixture.tilting import is_tilt
from headwater.recipe.settings import RecipeTerms
from headwater_server.runs.round_words import draws_in_words

__all__ = ["released_attack", "released_in_words"]

Record = Mapping[str, Any]


def released_attack(history: Sequence[Record]) -> float | None:
    """The attack that was made on the released generator: AUC of telling training from validation rows.

    Args:
        history: of a recipe that is done.

    Returns:
        That of the last judgement where refined or weighed draws were taken, else of the mixture that stands; None for
        a network, which no round attacks, and where no organisation has a validation row.
    """
    attacked = _attacked(history)
    if attacked is None or attacked.get("reason") == UNTESTED:
        return None
    return float(attacked["attack_auc"])


def released_in_words(terms: RecipeTerms, history: Sequence[Record]) -> str:
    """The generator that a recipe ended with: recipe, size, which training round, and the attack on it.

    Args:
        terms: of the plan.
        history: of its recipe, which is done.
    """
    return f"recipe {terms.recipe.kind}: {_generator(terms, history)}; {_attack(terms, history)}"


def _judged(history: Sequence[Record]) -> Record | None:
    """The judgement by which refined or weighed draws took the base's place."""
    taken = [record for record in history if record["kind"] == "judge" and record["accepted"]]
    return taken[-1] if taken else None


def _standing(history: Sequence[Record]) -> Record | None:
    """The last round on the mixture that climb and tilt left; None where nothing climbed."""
    ends = [record for record in history if "passed" in record]
    # The lowest rung stands whatever it shows.
    standing = [record for record in ends if record["passed"]][-1:] or ends[:1]
    return standing[0] if standing else None


def _attacked(history: Sequence[Record]) -> Record | None:
    return _judged(history) or _standing(history)


def _generator(terms: RecipeTerms, history: Sequence[Record]) -> str:
    if (standing := _standing(history)) is not None:
        return _mixture(terms, standing, _judged(history))
    kinds = [record["kind"] for record in history]
    if "fitted" in kinds:
        return _fitted(history)
    if "fit" not in kinds:
        updates = sum(record["kind"] == "update" and record.get("accepted", True) for record in history)
        return f"a convolutional generator, averaged over {updates} training rounds"
    rounds = [record for record in history if record["kind"] == "merge"]
    on_base = any(record["kind"] == "ended" and record["on"] == "base" for record in history)
    taken = [record["round"] for record in rounds if record["accepted"] and not on_base]
    scratch = terms.recipe.kind == "adversarial"
    first = "the network that training began with" if scratch else "a network fitted to the summed marginals"
    calibrated = any(record["kind"] == "calibration" and record["accepted"] for record in history)
    after = ", calibrated to the summed marginals" if calibrated else ""
    if taken:
        return f"the network that training round {taken[-1]} of {len(rounds)} left{after}"
    return f"its base, {first}" if rounds and not scratch else f"{first}{after}"


def _fitted(history: Sequence[Record]) -> str:
    """A generator that was made from noisy counts alone."""
    tables = sum(record["tables"] for record in history if "deviation" in record)
    components = [record["components"] for record in history if "components" in record]
    model = f"a mixture of {components[-1]} components" if components else "a generator"
    fitted = f"{model} fitted to noisy counts of {tables:,} tables"
    weighed = [record for record in history if record["kind"] == "weighed"]
    if not weighed:
        return f"{fitted} and to nothing else"
    if weighed[-1]["accepted"]:
        return f"{fitted}, draws weighed by a critic that noisy sums of clipped gradients trained"
    return f"{fitted}; a critic that noisy sums trained is not used, for {weighed[-1]['reason']}"


def _mixture(terms: RecipeTerms, standing: Record, judged: Record | None) -> str:
    mixture = f"a mixture of {standing['components']} components"
    if judged is not None:
        return f"{mixture}, {draws_in_words(judged)}"
    if is_tilt(standing):
        mixture += f", tilted to the counted pairs within {standing['tolerance']:g} standard deviations"
    return f"its base as it is, {mixture}" if terms.recipe.refines else mixture


def _attack(terms: RecipeTerms, history: Sequence[Record]) -> str:
    attacked = _attacked(history)
    if terms.privacy != "none":
        return "no attack is made, as every look at rows would cost of the budget; ε bounds what one could find"
    if attacked is None:
        return "no attack is made on a network, only on a mixture"
    if attacked.get("reason") == UNTESTED:
        return f"the attack is not measured, for {UNTESTED}"
    said = f"training rows are told from validation rows with AUC {attacked['attack_auc']:.3f} (.5 is chance)"
    limit = f"limit {terms.recipe.mixture.attack_limit:.3f}"
    if "attack_error" not in attacked:
        return f"{said}, {limit}"
    most = attacked["attack_auc"] + attacked["attack_error"]
    over = "" if attacked.get("passed", True) else ": OVER IT, for the lowest rung stands whatever it shows"
    return f"{said}, {most:.3f} with its standard error, {limit}{over}"
