"""What a critic's private step costs: ours, beside one without privacy and beside Opacus's ghost clipping."""

import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.peer_environment import make_environment, peer_python
from headwater.generator.private_step.clipped_sum import Clip, clipped_sum
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import IntegerCritic, activation_scales
from headwater.privacy.discrete_gaussian import discrete_gaussian

__all__ = ["SHAPE", "measure_critic_step"]

SHAPE: Mapping[str, Any] = {"inputs": 500, "widths": [256, 256], "rows": 5000, "batch": 500, "steps": 40}
"""Of the network, the pooled table and batch, and how many steps each turn measures: 194 thousand parameters."""

_SCRIPT = pathlib.Path(__file__).parents[1] / "peers" / "opacus_step.py"
_PEER = "opacus"
_TURNS = 3
_WARM_UP = 5
_SLOPE, _BOUND, _VARIANCE = 0.2, 2000, 2**24


def measure_critic_step(shape: Mapping[str, Any] = SHAPE, *, opacus: bool = True) -> dict[str, Any]:
    """Median CPU seconds of a step on the rows: gradients by the rows and the optimiser, without drawing noise.

    The three take turns, so that a slow minute of the machine falls on all of them. Each takes its batch out of a
    table, as in a run: an allocator that never held more than a step gives its pages back and asks for them again.
    Noise, which does not depend on the batch, is measured by itself: every organisation draws its share.

    Args:
        shape: of network and batch.
        opacus: whether to measure the peer, whose environment is made where it is not there.

    Returns:
        `private_seconds`, `plain_seconds`, `noise_seconds`, `parameters`, and `opacus_seconds` unless it is left out.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = _rows(shape)
    private, ordinary = (
        _private_step(_network(shape), rows[: shape["batch"]]),
        _plain_step(_network(shape), rows, shape),
    )
    parameters = sum(parameter.numel() for parameter in _network(shape).parameters())
    if opacus and (why := make_environment(_PEER)):
        print(f"opacus: left out, {why}", file=sys.stderr, flush=True)
        opacus = False
    ours: list[float] = []
    plain: list[float] = []
    theirs: list[float] = []
    for _ in range(_TURNS):
        ours += _timed(private, shape["steps"])
        plain += _timed(ordinary, shape["steps"])
        theirs += _opacus(shape) if opacus else []
    noise = _timed(lambda: discrete_gaussian(parameters, _VARIANCE), 3)
    figures: dict[str, Any] = {
        "private_seconds": statistics.median(ours),
        "plain_seconds": statistics.median(plain),
        "noise_seconds": statistics.median(noise),
        "parameters": parameters,
    }
    return figures | ({"opacus_seconds": statistics.median(theirs)} if opacus else {})


def _network(shape: Mapping[str, Any]) -> nn.Sequential:
    sizes, layers = [shape["inputs"], *shape["widths"], 1], list[nn.Module]()
    for into, out in itertools.pairwise(sizes):
        layers += [nn.Linear(into, out), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers[:-1])


def _rows(shape: Mapping[str, Any]) -> CodedRows:
    """A code of each of twenty columns, and ten scores."""
    codes = shape["inputs"] - 10
    width = codes // 20
    places = torch.randint(width, (shape["rows"], 20)) + torch.arange(0, 20 * width, width)
    return CodedRows(codes, places, torch.randn(shape["rows"], 10))


def _plain_step(network: nn.Sequential, rows: CodedRows, shape: Mapping[str, Any]) -> Callable[[], None]:
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    vectors = rows.vectors()[: shape["batch"]].clone()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        (-network(vectors).mean()).backward()
        optimiser.step()

    return step


def _private_step(network: nn.Sequential, rows: CodedRows) -> Callable[[], None]:
    """Everything that organisations and coordinator do with the rows' part, integers to weights included."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    layers = [(layer.weight.detach(), layer.bias.detach()) for layer in linear]
    scales, clip = activation_scales(layers, _SLOPE, rows), Clip(1.0, _BOUND)

    gradient, start = torch.zeros(sum(parameter.numel() for parameter in network.parameters())), 0
    for parameter in network.parameters():
        parameter.grad = gradient[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()

    def step() -> None:
        total = clipped_sum(IntegerCritic(layers, rows.codes, _SLOPE, scales), rows, clip, 1)
        np.multiply(total, -1 / (clip.scale * len(rows)), out=gradient.numpy(), casting="unsafe")
        optimiser.step()

    return step


def _timed(step: Callable[[], object], steps: int) -> list[float]:
    for _ in range(min(_WARM_UP, steps)):
        step()
    seconds = []
    for _ in range(steps):
        began = time.process_time()
        step()
        seconds.append(time.process_time() - began)
    return seconds


def _opacus(shape: Mapping[str, Any]) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        asked = pathlib.Path(folder) / "shape.json"
        asked.write_text(json.dumps(dict(shape)), encoding="utf-8")
        command = [str(peer_python(_PEER)), str(_SCRIPT), str(asked)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds: list[float] = json.loads(told.stdout.splitlines()[-1])
    return seconds
