"""Choose the super-columns of a run from its summed marginals."""

from collections.abc import Iterable, Sequence

from headwater.encoding.groups import Group, propose_groups, settle_groups
from headwater.encoding.marginals import Marginal, Subset, cells_of, marginalise
from headwater.recipe.settings import MarginalSettings

__all__ = ["propose", "settle", "still_to_count"]


def propose(marginals: Sequence[Marginal], sizes: Sequence[int], settings: MarginalSettings) -> list[Subset]:
    """Disjoint subsets of strongly dependent columns."""
    return propose_groups(
        [marginal for marginal in marginals if len(marginal.columns) == 2],
        sizes,
        threshold=settings.group_threshold,
        most_columns=settings.group_columns,
        most_combinations=settings.group_combinations,
        most_cells=settings.cells,
    )


def still_to_count(
    proposed: Sequence[Subset], counted: Iterable[Subset], sizes: Sequence[int], settings: MarginalSettings
) -> list[Subset]:
    """The proposed subsets that no counted table is, as many as the budget of cells holds."""
    known, left, wanted = set(counted), settings.cells, []
    for subset in proposed:
        cells = cells_of(sizes, subset)
        if subset not in known and cells <= left:
            wanted.append(subset)
            left -= cells
    return wanted


def settle(
    proposed: Sequence[Subset], marginals: Sequence[Marginal], sizes: Sequence[int], settings: MarginalSettings
) -> tuple[list[Group], list[Marginal]]:
    """Groups with their combinations, and the marginals that are missing for those which gave up a column."""
    tables = {marginal.columns: marginal for marginal in marginals}
    joint = [tables[subset] for subset in proposed if subset in tables]
    groups = settle_groups(joint, sizes, most_combinations=settings.group_combinations)
    extra = []
    for group in groups:
        if group.columns not in tables:
            holder = next(table for table in joint if set(group.columns) <= set(table.columns))
            extra.append(marginalise(holder, sizes, group.columns))
    return groups, extra
