"""A drafted plan's text, with words above what a person must choose."""

import re
import textwrap
from collections.abc import Sequence

from headwater.agreement.differencing import choice_in_words
from headwater.privacy.words import NOT_PRIVATE

__all__ = ["explained"]

_WIDTH = 110
_BUDGET = {
    "epsilon": "Of everything that a run releases, for one unit added or removed. With other runs on the same rows it "
    "composes: to somewhat less than the plain sum; `plan explain` and ledgers say how much.",
    "delta": "Below 1 / most_rows: a mechanism may publish one row in 1 / δ whole.",
    "unit": '"record" protects one record; "entity" a person with all of at most `records` records, by more noise.',
    "most_rows": "Public upper bound on the training rows of all organisations together; a run that counts more ends.",
    "mode": '"joint": the honest organisations share the noise under secure aggregation. "local": each adds all of it, '
    "for those that trust nobody; errors grow with the root of their number.",
    "retries": "Aborted sums that are paid for in advance, by more noise in every round. What was uploaded counts as "
    "released, so a sum that is tried again is paid twice; where nothing is left for it the run ends.",
}
_POLICY = (
    "Which thresholds judge the audit. With a budget: standard (ε up to 3), strict (1), research (8). Without one: "
    'non-private. For a trial on few rows: demo. No audit at all: audit = "none" in place of this section.'
)
_NO_AUDIT = (
    'Nobody attacks the synthetic rows before they are released. With `[audit]` and policy = "non-private" in its '
    "place, or standard under a budget, the organisations do."
)
_RELEASE = (
    'The most that a release may give of the generator: "kept", nothing but the audited rows; "on request", more rows '
    'that the coordinator samples; "released", its weights. More than "kept" needs a budget, and a policy that lets it.'
)
_ROWS = (
    "Synthetic rows to release. 0: as many as the noisy counts estimate. Another number must be public anyway: that of "
    "the true rows, in a plan or in `release --rows`, would be a count without noise."
)
_NO_BUDGET = (
    f"{NOT_PRIVATE}: no number bounds what results tell of one person. With a budget in its place, as "
    "`plan draft --epsilon` writes it, every sum carries noise."
)


def explained(text: str) -> str:
    """A plan's TOML with a comment above each choice, for whoever reads or edits the file.

    Args:
        text: of `Plan.to_toml`.
    """
    choices = [choice_in_words("strict"), choice_in_words("continue")]
    text = _above(text, "on_membership_change", choices)
    if "\n[release]\n" in text:
        before, after = text.split("\n[release]\n", 1)
        text = f"{before}\n[release]\n{_above(after, 'generator', [_RELEASE])}"
    if "\n[audit]\n" in text:
        before, after = text.split("\n[audit]\n", 1)
        text = f"{before}\n[audit]\n{_above(after, 'policy', [_POLICY])}"
    else:
        text = _above(text, "audit", [_NO_AUDIT])
    if "\n[privacy]\n" not in text:
        return _above(text, "privacy", [_NO_BUDGET])
    before, after = _above(text, "rows", [_ROWS]).split("\n[privacy]\n", 1)
    for key, words in _BUDGET.items():
        after = _above(after, key, [words])
    return f"{before}\n[privacy]\n{after}"


def _above(text: str, key: str, words: Sequence[str]) -> str:
    """Put comments above the first line that sets a key."""
    comment = "".join(f"# {line}\n" for each in words for line in textwrap.wrap(each, _WIDTH))
    return re.sub(rf"^{key} = ", lambda found: comment + found[0], text, count=1, flags=re.MULTILINE)
