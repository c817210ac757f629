"""Learn a representation of rows from pairs of views that a generator draws, and judge it on real rows.

python examples/research/contrastive_views.py --data adult.csv --target income [--generator FOLDER] [--figure out.svg]

An encoder is trained by InfoNCE to tell which of two rows belong together, without any label. Once the pairs are views
of one another (`generator.sample(views=2, view_std=…)`, neighbouring latents), once the very same rows are paired at
random, which are independent samples. Both encoders, and the plain columns, are then judged by a logistic regression
on a few labelled real rows (a linear probe), asked about real rows that neither the generator nor any choice has seen.

Without --generator three organisations share the training rows in a simulation, which takes about a minute, and a
fifth of the table is held out by it. With --generator (a release's generator/, or a simulation's) give rows that it
was not trained on, as --test or, if there is none, as --data. Choices of the probe are made on validation rows of the
training part alone.

Source: van den Oord et al. 2018 (arXiv:1807.03748), InfoNCE; Jahanian et al., ICLR 2022, views from a generator.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn

from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.generator import TableGenerator, load_generator
from headwater.generator.sampler import read_sampler
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import build_recipe
from headwater.schema import Schema
from headwater.schema.conform import load_table
from headwater_server.simulation.inputs import read_inputs

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

LABELS = (50, 100, 200, 500, 1000)
DRAWS = 8
"""Times that so many labelled rows are drawn anew; every method gets the same ones."""

STRENGTHS = (0.003, 0.01, 0.03)
"""Inverse strengths of the probe's penalty, one of which is chosen on validation rows."""

METHODS = ("views", "independent", "columns")
TITLES = {
    "views": "encoder, pairs are views",
    "independent": "encoder, pairs are independent",
    "columns": "no encoder: the columns themselves",
}


def simulate(data: Path, target: str) -> tuple[TableGenerator, pd.DataFrame, pd.DataFrame]:
    """A mixture of three organisations' rows, with the training and the held-out rows."""
    inputs = read_inputs(data, target, 3, "iid", recipe="mixture")
    recipe = build_recipe(inputs.plan)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            vectors = [contribute(action.task, action.model, rows, inputs.plan) for rows in inputs.parts]
            recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), contributors=len(vectors))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    schema = inputs.plan.schema_
    train, test = (load_table(rows, schema).to_arrow().to_pandas() for rows in (inputs.train, inputs.test))
    return TableGenerator(read_sampler(action.model), action.encoding), train, test


def split(data: Path, test: Path | None, generator: TableGenerator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to label and choose by, and rows that the generator never saw: of a file of their own, or a fifth."""

    def read(path: Path) -> pd.DataFrame:
        rows: pd.DataFrame = (
            load_table(pa.Table.from_pandas(pd.read_csv(path)), generator.schema).to_arrow().to_pandas()
        )
        return rows

    rows = read(data)
    if test is not None:
        return rows, read(test)
    order = np.random.default_rng(0).permutation(len(rows))
    fifth = len(rows) // 5
    return rows.iloc[order[fifth:]], rows.iloc[order[:fifth]]


class Columns:
    """Rows as numbers: ranks of numeric columns, one place for each category; the target is left out."""

    def __init__(self, schema: Schema, target: str, synthetic: pd.DataFrame) -> None:
        """Take ranks from synthetic rows."""
        kinds = {column.name: column for column in schema.columns if column.name != target}
        self._grid = np.linspace(0, 1, 201)
        self._quantiles = {
            name: np.quantile(synthetic[name].dropna().astype(float), self._grid)
            for name, column in kinds.items()
            if column.kind == "numeric"
        }
        self._categories = {name: sorted(map(str, synthetic[name].dropna().unique())) for name in kinds}
        self._categories = {name: each for name, each in self._categories.items() if name not in self._quantiles}

    def __call__(self, rows: pd.DataFrame) -> F32:
        """Shape (rows, places)."""
        parts = []
        for name, points in self._quantiles.items():
            values = rows[name].to_numpy(float, na_value=np.nan)
            places = np.searchsorted(points, values, "left") + np.searchsorted(points, values, "right")
            parts.append(np.where(np.isnan(values), 0.0, (places / (2 * len(points)) - 0.5) * np.sqrt(12))[:, None])
        for name, known in self._categories.items():
            parts.append(rows[name].astype(str).to_numpy()[:, None] == np.array(known)[None, :])
        return np.hstack(parts).astype(np.float32)


class Encoder(nn.Module):
    """Two hidden layers and 128 features; a head that only training uses."""

    def __init__(self, places: int) -> None:
        """For rows of so many numbers."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(places, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 128)
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(128, 64))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Points on a sphere."""
        return nn.functional.normalize(self.head(self.body(rows)), dim=1)

    @torch.no_grad()
    def features(self, rows: F32) -> F32:
        """What the probe sees."""
        found: F32 = self.body(torch.from_numpy(rows)).numpy()
        return found


def train_encoder(first: F32, second: F32, seed: int, steps: int, temperature: float) -> Encoder:
    """InfoNCE in both directions over batches of 512 pairs."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    encoder = Encoder(first.shape[1])
    optimiser = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    left, right, own = torch.from_numpy(first), torch.from_numpy(second), torch.arange(512)
    for _ in range(steps):
        batch = torch.from_numpy(random.integers(0, len(first), 512))
        likeness = encoder(left[batch]) @ encoder(right[batch]).T / temperature
        loss = nn.functional.cross_entropy(likeness, own) + nn.functional.cross_entropy(likeness.T, own)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return encoder.eval()


def probe(labelled: F32, labels: I64, others: Sequence[F32], strength: float) -> list[NDArray[np.float64]]:
    """Scores of a logistic regression on features scaled by the labelled rows."""
    mean, spread = labelled.mean(axis=0), labelled.std(axis=0) + 1e-3
    fitted = LogisticRegression(C=strength, max_iter=2000).fit((labelled - mean) / spread, labels)
    return [fitted.decision_function((each - mean) / spread) for each in others]


class Judge:
    """Real rows: some to label, some to choose the probe by, and those that count."""

    def __init__(self, train: pd.DataFrame, test: pd.DataFrame, target: str, columns: Columns) -> None:
        """Set 5,000 (at most a third) of the training rows apart to choose by."""
        order = np.random.default_rng(1).permutation(len(train))
        chosen = min(5000, len(train) // 3)
        positive = sorted(map(str, train[target].unique()))[-1]
        self._parts = [columns(part) for part in (train.iloc[order[chosen:]], train.iloc[order[:chosen]], test)]
        self._labels = [
            (part[target].astype(str) == positive).to_numpy().astype(np.int64)
            for part in (train.iloc[order[chosen:]], train.iloc[order[:chosen]], test)
        ]

    def areas(self, features: Callable[[F32], F32]) -> Mapping[int, Sequence[float]]:
        """ROC AUC on the held-out rows by number of labels, once for each draw of labelled rows."""
        pool, validation, test = (features(part) for part in self._parts)
        found: dict[int, list[float]] = {}
        for number in LABELS:
            if number > len(pool):
                continue
            for draw in range(DRAWS):
                rows = np.random.default_rng([number, draw]).permutation(len(pool))[:number]
                labels = self._labels[0][rows]
                if labels.min() == labels.max():
                    continue
                tried = [probe(pool[rows], labels, (validation, test), strength) for strength in STRENGTHS]
                # The penalty is chosen where it cannot see the rows that count.
                best = max(tried, key=lambda scores: roc_auc_score(self._labels[1], scores[0]))
                found.setdefault(number, []).append(float(roc_auc_score(self._labels[2], best[1])))
        return found


def compare(generator: TableGenerator, judge_of: Callable[[Columns], Judge], target: str, options: argparse.Namespace):  # type: ignore[no-untyped-def]
    """Areas by method, number of labels and seed."""
    drawn = generator.sample(2 * options.pairs, views=2, view_std=options.view_std, seed=1).to_pandas()
    pairs = [drawn[drawn["view_id"] == view].reset_index(drop=True) for view in (0, 1)]
    columns = Columns(generator.schema, target, pairs[0])
    first, second = (columns(view) for view in pairs)
    judge = judge_of(columns)
    rows = [
        {"method": "columns", "labels": number, "seed": draw, "area": area}
        for number, areas in judge.areas(lambda part: part).items()
        for draw, area in enumerate(areas)
    ]
    for seed in range(options.seeds):
        apart = np.random.default_rng([2, seed]).permutation(len(second))
        for method, partner in (("views", second), ("independent", second[apart])):
            began = time.monotonic()
            encoder = train_encoder(first, partner, seed, options.steps, options.temperature)
            print(f"{TITLES[method]}, seed {seed}: trained in {time.monotonic() - began:.0f} s", flush=True)
            rows += [
                {"method": method, "labels": number, "seed": seed * DRAWS + draw, "area": area}
                for number, areas in judge.areas(encoder.features).items()
                for draw, area in enumerate(areas)
            ]
    return pd.DataFrame(rows)


def draw_figure(found: pd.DataFrame, path: Path, below: str) -> None:
    """A line for each method with the spread over draws of labels and seeds."""
    import altair

    table = found.assign(method=found["method"].map(TITLES))
    shared = altair.Chart(table).encode(
        x=altair.X("labels:Q", scale=altair.Scale(type="log"), axis=altair.Axis(values=list(LABELS), title="labels")),
        color=altair.Color(
            "method:N",
            title=None,
            sort=[TITLES[each] for each in METHODS],
            scale=altair.Scale(range=["#0072b2", "#d55e00", "#555555"]),
            legend=altair.Legend(orient="top", labelLimit=400),
        ),
    )
    y = altair.Y("area:Q", scale=altair.Scale(zero=False), title="ROC AUC on held-out real rows")
    band = shared.mark_errorband(extent="stdev", opacity=0.15).encode(y=y)
    line = shared.mark_line(point=True).encode(y=altair.Y("mean(area):Q", title="ROC AUC on held-out real rows"))
    title = altair.TitleParams("Linear probe after contrastive learning on views", subtitle=below)
    (band + line).properties(width=520, height=320, title=title).save(path, format="svg")


def main() -> None:
    """Draw, train, judge, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="real rows, CSV")
    parser.add_argument("--target", default="income", help="a column of two values, which encoders never see")
    parser.add_argument("--generator", type=Path, help="folder of a generator; by default one is simulated")
    parser.add_argument("--test", type=Path, help="with --generator: real rows, CSV, that it was not trained on")
    parser.add_argument("--pairs", type=int, default=40_000, help="pairs to draw (40000)")
    parser.add_argument("--view-std", type=float, default=0.5, help="distance of views (0.5)")
    parser.add_argument("--temperature", type=float, default=0.5, help="of InfoNCE (0.5)")
    parser.add_argument("--steps", type=int, default=500, help="batches of 512 pairs (500)")
    parser.add_argument("--seeds", type=int, default=1, help="encoders of each kind (1)")
    parser.add_argument("--figure", type=Path, help="SVG to write")
    parser.add_argument("--label", help="what the figure calls the table (the name of --data)")
    options = parser.parse_args()
    if options.generator is None:
        generator, train, test = simulate(options.data, options.target)
    else:
        generator = load_generator(options.generator)
        train, test = split(options.data, options.test, generator)
    print(f"{len(train):,} real rows to label and choose by, {len(test):,} held out; generator: {generator.kind}")
    found = compare(generator, lambda columns: Judge(train, test, options.target, columns), options.target, options)
    print(
        f"\nROC AUC on held-out real rows, mean over {DRAWS} draws of labels and {options.seeds} seeds (± their spread)"
    )
    for number, rows in found.groupby("labels"):
        means = rows.groupby("method")["area"].agg(["mean", "std"])
        told = ", ".join(f"{each} {means['mean'][each]:.3f} ± {means['std'][each]:.3f}" for each in METHODS)
        print(f"{number:>6} labels: {told}")
    if options.figure is not None:
        below = (
            f"{options.label or options.data.stem}, view_std {options.view_std:g}, "
            f"{options.seeds} seeds × {DRAWS} draws; band: ± 1 sd"
        )
        draw_figure(found, options.figure, below)
        print(f"Wrote {options.figure}")


if __name__ == "__main__":
    main()
