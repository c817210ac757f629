"""`compress`: a smaller generator that draws nearly the same rows."""

import math
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.options import HomeOption

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.evaluation.usefulness import Usefulness
    from headwater.generator.bundle import Bundle
    from headwater.generator.compression import Fidelity

__all__ = ["register"]


_COMPARED = 100_000


class _Precision(Enum):
    """What a parameter is kept in."""

    INT8 = "int8"
    FLOAT16 = "float16"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        epilog="Example:  headwater-coordinator compress sim --to small --components 100 "
        "--data adult.csv --target income"
    )(compress)


def compress(
    source: Annotated[str, typer.Argument(help="A finished run, a bundle's folder, or a simulation's folder.")],
    to: Annotated[Path, typer.Option(help="Folder for the new bundle; it must not be there.")],
    precision: Annotated[_Precision, typer.Option(help="Of a mixture's shares or a network's weights.")] = (
        _Precision.INT8
    ),
    components: Annotated[
        int | None, typer.Option(help="A mixture: merge the closest components until so many are left.", min=1)
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="A network: distil it into one of this width, by its own draws.", min=8)
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Most that the distance of pairs may lie above chance.", min=0, max=1)
    ] = 0.005,
    data: Annotated[
        Path | None, typer.Option(help="In a simulation, the whole real table: the judge scores both generators.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="With --data: the column to predict.")] = None,
    seed: Annotated[int, typer.Option(help="Of draws and fit.", min=0, max=2**53 - 1)] = 0,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Make a generator smaller: parameters in fewer bits, a mixture of fewer components, a narrower network.

    The new bundle has a digest of its own and is written only when its rows are as good: 100,000 rows of both are
    compared by pairs of columns, and what lies above the distance of two samples of the original must be within
    --tolerance. The rows printed show components or width, bytes and distances before and after; with --data also what
    models are worth that learned from either. Like every bundle without differential privacy, the new one stays with
    the coordinator.
    """
    from rich.console import Console

    from headwater.errors import ReleaseRefused
    from headwater.generator.bundle import Bundle
    from headwater.generator.compression import compress as make_smaller
    from headwater.generator.compression import fidelity
    from headwater.recipe.settings import FitSettings
    from headwater_server.sampling.source import find_bundle
    from headwater_server.step_bar import StepBar

    _check(to, tolerance)
    bundle, console, terms = find_bundle(source, home), Console(), FitSettings()
    judge = _judge(bundle, data, target)
    with StepBar(console) as bar:
        with bar.step(f"Making the {bundle.sampler.kind} smaller"):
            sampler = make_smaller(
                bundle.sampler,
                precision=precision.value,
                components=components,
                width=width,
                terms=terms,
                seed=seed,
                on_progress=lambda done, _: bar.advance(done, terms.steps),
            )
        smaller = Bundle(sampler, bundle.encoding)
        with bar.step(f"Drawing and comparing {_COMPARED:,} rows of each"):
            found = fidelity(bundle.sampler, sampler, bundle.encoding, rows=_COMPARED, seed=seed)
        scores = []
        if judge is not None:
            for whose, each in (("original", bundle), ("compressed generator", smaller)):
                with bar.step(f"Scoring models that learn from rows of the {whose}"):
                    scores.append(_scores(each, *judge))
    _print_comparison(console, bundle, smaller, found, scores)
    # Asked this way round, a distance that is no number refuses.
    if not found.excess <= tolerance:
        raise ReleaseRefused(
            f"the compressed generator's pairs lie {found.excess:.4f} above chance, at most {tolerance:g} is allowed; "
            "nothing was written: keep more components, a wider network or float16"
        )
    digest = smaller.save(to)
    before, after = (len(each.sampler.to_bytes()) for each in (bundle, smaller))
    unit, held = _size(bundle)
    console.print(
        f"{unit}: {held:,} before, {_size(smaller)[1]:,} after; bytes: {before:,} before, {after:,} after "
        f"({after / before:.1%}); bundle {digest}",
        highlight=False,
        soft_wrap=True,
    )
    typer.echo(f"{to}")


def _check(to: Path, tolerance: float) -> None:
    from headwater.errors import InputError

    if math.isnan(tolerance):
        raise InputError("--tolerance is no number; say one from 0 to 1")
    if to.exists() or to.is_symlink():
        raise InputError(f"{to} is there already; choose another folder")


def _print_comparison(
    console: "Console", bundle: "Bundle", smaller: "Bundle", found: "Fidelity", scores: "list[dict[str, float]]"
) -> None:
    """A row each for the generator before and after."""
    from rich.table import Table

    table = Table(title=f"{bundle.sampler.kind}: distances from {_COMPARED:,} rows of the original")
    for heading in ("", _size(bundle)[0], "bytes", "TVD-1", "TVD-2", *(["GBM AUC", "LR AUC"] if scores else [])):
        table.add_column(heading, justify="right")
    distances = ((found.floor1, found.floor2), (found.tvd1, found.tvd2))
    for place, (name, each) in enumerate((("original", bundle), ("compressed", smaller))):
        judged = [f"{scores[place][model]:.4f}" for model in ("gbm", "lr")] if scores else []
        sizes = [f"{_size(each)[1]:,}", f"{len(each.sampler.to_bytes()):,}"]
        table.add_row(name, *sizes, *(f"{value:.4f}" for value in distances[place]), *judged)
    console.print(table)
    said = "The original's distances are those of two samples of it: what chance makes."
    if scores:
        said += " The AUC of models that learned from drawn rows is measured on the fifth of the real table held out."
    console.print(said, highlight=False, soft_wrap=True)


def _size(bundle: "Bundle") -> tuple[str, int]:
    """What the size of a generator that can be compressed is counted in, and how large it is."""
    from headwater.errors import InputError
    from headwater.generator.sampler import MixtureSampler, NetworkSampler

    sampler = bundle.sampler
    if isinstance(sampler, MixtureSampler):
        return "components", sampler.mixture.components
    if isinstance(sampler, NetworkSampler):
        return "width", sampler.model.spec.width
    raise InputError(f"a generator of kind {sampler.kind} cannot be compressed; give a mixture or a network")


def _judge(bundle: "Bundle", data: Path | None, target: str | None) -> "tuple[Usefulness, int] | None":
    """Who scores rows of a generator by the real table, and how many rows; None where no table is given."""
    from headwater.errors import InputError
    from headwater.evaluation.split import judge_split
    from headwater.evaluation.usefulness import Usefulness
    from headwater.schema.reading import read_arrow

    if data is None and target is None:
        return None
    if data is None or target is None:
        raise InputError("--data and --target go together; say both or neither")
    real, names = read_arrow(data), bundle.encoding.schema.names
    if missing := [name for name in names if name not in real.column_names]:
        raise InputError(f"{data.name} lacks the generator's column {missing[0]!r}; give the table that it was made of")
    if target not in names:
        raise InputError(f"the generator has no column {target!r}; say --target with one of {', '.join(names)}")
    train, test = (real.select(list(names)).take(places) for places in judge_split(real.num_rows))
    judge = Usefulness(train, test, target)
    judge.check()
    return judge, train.num_rows


def _scores(bundle: "Bundle", judge: "Usefulness", rows: int) -> dict[str, float]:
    """What the judge's models are worth that learned from rows of this generator."""
    from headwater.generator.table_generator import TableGenerator

    drawn = TableGenerator(bundle.sampler, bundle.encoding).sample(rows, seed=1)
    return judge.score(drawn)
