"""The sum of clipped gradients: right against autograd, bounded on whole numbers, and no row touches another's part."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import leaky_relu

from headwater.errors import InputError
from headwater.generator.private_step.clipped_sum import Clip, clipped_sum, gradient_norms
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import EXACT, IntegerCritic, activation_scales
from headwater.privacy.events import LARGEST_SENSITIVITY

SLOPE = 0.2
Layers = list[tuple[Tensor, Tensor]]


def layers_of(random: torch.Generator, widths: list[int], size: float = 1.0) -> Layers:
    """Random weights and biases from `widths[0]` values to one number."""
    return [
        (size * torch.randn(out, into, generator=random) / math.sqrt(into), 0.3 * torch.randn(out, generator=random))
        for into, out in zip(widths, [*widths[1:], 1], strict=True)
    ]


def rows_of(random: torch.Generator, rows: int, scores: int = 5) -> CodedRows:
    """Four units of five codes each, one in ten of them not there, and scores."""
    places = torch.randint(5, (rows, 4), generator=random) + torch.arange(0, 20, 5)
    places[torch.rand(rows, 4, generator=random) < 0.1] = 20
    return CodedRows(20, places, torch.randn(rows, scores, generator=random))


def fine(layers: Layers) -> IntegerCritic:
    return IntegerCritic(layers, 20, SLOPE, [16] + [32] * (len(layers) - 1))


def by_autograd(layers: Layers, rows: CodedRows) -> Tensor:
    """Each row's gradient by torch's own differentiation: shape (rows, parameters)."""
    modules: list[nn.Module] = []
    for weight, bias in layers:
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
        modules += [linear, nn.LeakyReLU(SLOPE)]
    network = nn.Sequential(*modules[:-1])
    parameters = {name: value.detach() for name, value in network.named_parameters()}

    def opinion(values: dict[str, Tensor], row: Tensor) -> Tensor:
        out: Tensor = functional_call(network, values, (row[None],))
        return out.squeeze()

    parts = vmap(grad(opinion), (None, 0))(parameters, rows.vectors())
    return torch.cat([part.reshape(len(rows), -1) for part in parts.values()], dim=1)


def one_by_one(critic: IntegerCritic, rows: CodedRows, clip: Clip, seed: int) -> np.ndarray:
    """Each row's vector, computed without any other: int64, shape (rows, parameters)."""
    return np.stack([clipped_sum(critic, rows[place : place + 1], clip, seed) for place in range(len(rows))])


def norm_squared(values: np.ndarray) -> int:
    return sum(int(value) ** 2 for value in values)


@pytest.fixture(name="random")
def fixture_random() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("widths", [[25, 40], [25, 48, 32], [25, 32, 24, 16]])
def test_ghost_norms_are_the_norms_of_each_row_s_gradient(random: torch.Generator, widths: list[int]) -> None:
    layers, rows = layers_of(random, widths), rows_of(random, 60)
    expected = by_autograd(layers, rows).norm(dim=1).numpy()
    ratios = gradient_norms(fine(layers), rows) / expected
    # Rounding moves a row here and there across a rectifier's edge.
    assert ratios.mean() == pytest.approx(1.0, abs=0.01)
    assert np.quantile(np.abs(ratios - 1), 0.8) < 0.03


def test_the_sum_is_that_of_clipped_gradients(random: torch.Generator) -> None:
    layers, rows = layers_of(random, [25, 48, 32]), rows_of(random, 200)
    gradients = by_autograd(layers, rows)
    norms = gradients.norm(dim=1)
    clip = Clip(float(norms.median()), 20_000)
    expected = (gradients * (clip.norm / norms).clamp(max=1.0)[:, None]).sum(dim=0).double().numpy()
    found = clipped_sum(fine(layers), rows, clip, 1) / clip.scale
    # Clipping aims a little below the norm, so that rounding stays within it.
    assert found @ expected / np.linalg.norm(expected) ** 2 == pytest.approx(0.99, abs=0.02)
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.999


def test_what_is_within_the_norm_is_not_shortened(random: torch.Generator) -> None:
    layers, rows = layers_of(random, [25, 48, 32]), rows_of(random, 50)
    gradients = by_autograd(layers, rows)
    clip = Clip(2 * float(gradients.norm(dim=1).max()), LARGEST_SENSITIVITY)
    expected = gradients.sum(dim=0).double().numpy()
    found = clipped_sum(fine(layers), rows, clip, 1) / clip.scale
    assert found @ expected / np.linalg.norm(expected) ** 2 == pytest.approx(1.0, abs=3e-3)


def test_one_factor_clips_all_layers_together(random: torch.Generator) -> None:
    layers, rows = layers_of(random, [25, 48, 32]), rows_of(random, 30)
    critic, gradients = fine(layers), by_autograd(layers, rows)
    clip = Clip(0.1 * float(gradients.norm(dim=1).min()), LARGEST_SENSITIVITY)
    ends = np.cumsum([0, *(out * (into + 1) for out, into in critic.shapes)])
    vectors = one_by_one(critic, rows, clip, 1)
    for vector, gradient in zip(vectors, gradients.double().numpy(), strict=True):
        shares = [np.linalg.norm(vector[a:b]) / np.linalg.norm(vector) for a, b in itertools.pairwise(ends)]
        wanted = [np.linalg.norm(gradient[a:b]) / np.linalg.norm(gradient) for a, b in itertools.pairwise(ends)]
        # A norm of its own for each layer would make these shares equal, and their root sum of squares above 1.
        assert shares == pytest.approx(wanted, abs=0.05)
        assert 0.96 * clip.bound <= math.sqrt(norm_squared(vector)) <= clip.bound


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    widths=st.lists(st.integers(1, 70), min_size=1, max_size=3),
    bound=st.sampled_from([1, 7, 64, 1000, 8191, LARGEST_SENSITIVITY]),
    share=st.floats(1e-3, 10),
    size=st.floats(0, 6),
    spread=st.floats(1e-3, 1e4),
)
def test_a_row_moves_the_sum_by_its_own_vector_alone_and_never_beyond_the_bound(
    seed: int, widths: list[int], bound: int, share: float, size: float, spread: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    layers = layers_of(random, [25, *widths], size)
    rows = rows_of(random, 9)
    rows.scores.mul_(spread)
    critic = IntegerCritic(layers, 20, SLOPE, activation_scales(layers, SLOPE, rows))
    middle = float(np.median(gradient_norms(critic, rows)))
    clip = Clip(share * middle if middle > 0 else 1.0, bound)
    vectors = one_by_one(critic, rows, clip, seed)
    assert all(norm_squared(vector) <= bound**2 for vector in vectors)
    # Exactly: what a batch gives is the sum of what its rows give alone, wherever they stand in it.
    order = torch.randperm(9, generator=random)
    for size_of_batch in (9, 8, 5):
        batch = order[:size_of_batch]
        assert (clipped_sum(critic, rows[batch], clip, seed) == vectors[batch].sum(axis=0)).all()


@pytest.mark.parametrize("rows", [1, 31, 500, 1500])
def test_batches_of_every_size_add_up_exactly(random: torch.Generator, rows: int) -> None:
    # 64 units wide and wider, where products take other paths; more rows than float32 adds at once.
    layers, batch = layers_of(random, [120, 256, 130]), rows_of(random, rows, 100)
    critic = IntegerCritic(layers, 20, SLOPE, activation_scales(layers, SLOPE, batch))
    clip = Clip(float(np.median(gradient_norms(critic, batch))), EXACT // 1024)
    whole = clipped_sum(critic, batch, clip, 3)
    cut = rows // 3
    assert (whole == clipped_sum(critic, batch[:cut], clip, 3) + clipped_sum(critic, batch[cut:], clip, 3)).all()
    assert (whole == clipped_sum(critic, batch[torch.arange(rows - 1, -1, -1)], clip, 3)).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_not_finite_adds_zero(random: torch.Generator, value: float) -> None:
    layers, rows = layers_of(random, [25, 32, 16]), rows_of(random, 12)
    critic, clip = fine(layers), Clip(1.0, 3000)
    others = rows[torch.tensor([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11])]
    spoilt = rows[torch.arange(12)]
    spoilt.scores[4, 2] = value
    assert (clipped_sum(critic, spoilt, clip, 1) == clipped_sum(critic, others, clip, 1)).all()
    assert not clipped_sum(critic, spoilt[4:5], clip, 1).any()


def test_an_empty_batch_gives_zeros(random: torch.Generator) -> None:
    critic = fine(layers_of(random, [25, 32, 16]))
    found = clipped_sum(
        critic, CodedRows(20, torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, 5)), Clip(1.0, 3000), 1
    )
    assert found.shape == (critic.parameters,) == (25 * 32 + 32 + 32 * 16 + 16 + 16 + 1,)
    assert not found.any()


def test_rounding_takes_nothing_away_over_steps(random: torch.Generator) -> None:
    # Numbers far below half a unit would be rounded to zero in every step.
    layers, row = layers_of(random, [25, 64, 64]), rows_of(random, 1)
    critic = fine(layers)
    gradient = by_autograd(layers, row)[0].double().numpy()
    clip = Clip(10 * float(np.linalg.norm(gradient)), 3000)
    mean = np.mean([clipped_sum(critic, row, clip, seed) for seed in range(400)], axis=0) / clip.scale
    assert mean @ gradient / np.linalg.norm(gradient) ** 2 == pytest.approx(1.0, abs=0.03)


def test_parameters_come_in_the_order_of_the_network(random: torch.Generator) -> None:
    layers, rows = layers_of(random, [25, 6, 3]), rows_of(random, 40)
    clip = Clip(float(by_autograd(layers, rows).norm(dim=1).max()), LARGEST_SENSITIVITY)
    found = clipped_sum(fine(layers), rows, clip, 1) / clip.scale
    hidden, first = rows.vectors(), []
    for weight, bias in layers[:-1]:
        hidden = leaky_relu(hidden @ weight.T + bias, SLOPE)
        first.append(hidden)
    # The last layer's gradient is what goes into it, and the bias's is 1 for each row.
    assert found[-4:-1] == pytest.approx(first[-1].sum(dim=0).numpy(), rel=0.05)
    assert found[-1] == pytest.approx(40, rel=0.01)


def test_products_of_a_lower_precision_are_refused(random: torch.Generator) -> None:
    critic = fine(layers_of(random, [25, 8]))
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(InputError, match="highest"):
            clipped_sum(critic, rows_of(random, 1), Clip(1.0, 100), 1)
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize(
    ("norm", "bound"), [(0.0, 10), (-1.0, 10), (math.nan, 10), (math.inf, 10), (1.0, 0), (1.0, LARGEST_SENSITIVITY + 1)]
)
def test_what_clips_nothing_is_refused(norm: float, bound: int) -> None:
    with pytest.raises(InputError):
        Clip(norm, bound)


def test_networks_that_are_not_evaluated_exactly_are_refused(random: torch.Generator) -> None:
    layers = layers_of(random, [25, 8, 4])
    spoilt = [(layers[0][0].clone(), layers[0][1]), *layers[1:]]
    spoilt[0][0][0, 0] = math.nan
    wide = layers_of(random, [25, 5000])
    for network, codes, slope, scales in (
        (layers[:1], 20, SLOPE, [8]),
        (layers[:2], 20, SLOPE, [8, 8]),
        ([layers[0], layers[2]], 20, SLOPE, [8, 8]),
        (spoilt, 20, SLOPE, [8, 8, 8]),
        (wide, 20, SLOPE, [8, 8]),
        (layers, 26, SLOPE, [8, 8, 8]),
        (layers, 20, 1.5, [8, 8, 8]),
        (layers, 20, SLOPE, [8, 8]),
        (layers, 20, SLOPE, [8, 0, 8]),
        (layers, 20, SLOPE, [8, 128, 8]),
    ):
        with pytest.raises(InputError):
            IntegerCritic(network, codes, slope, scales)
