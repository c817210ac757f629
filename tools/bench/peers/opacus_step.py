"""What a critic's step costs with Opacus: `python opacus_step.py SHAPE.json`, in an environment that has it; JSON out.

The shape says inputs, widths, rows, batch and how often to measure. Ghost clipping in its fast form, without noise: one
thread, CPU seconds of each step.
"""

import itertools
import json
import os
import pathlib
import sys
import time
import warnings
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from opacus.grad_sample import GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from torch import Tensor, nn

__all__ = ["main"]

_WARM_UP = 5


class _Opinion(nn.Module):
    """The mean opinion of real rows, as a loss; Opacus asks for it per row."""

    def __init__(self) -> None:
        super().__init__()
        self.reduction = "mean"

    def forward(self, opinions: Tensor, _: Tensor) -> Tensor:
        """Shape (batch,) where nothing is reduced."""
        return -opinions.squeeze(1) if self.reduction == "none" else -opinions.mean()


def main(shape: dict[str, Any]) -> list[float]:
    """CPU seconds of each measured step."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    sizes = [shape["inputs"], *shape["widths"], 1]
    for into, out in itertools.pairwise(sizes):
        layers += [nn.Linear(into, out), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*layers[:-1])
    wrapped = GradSampleModuleFastGradientClipping(network, max_grad_norm=1.0, use_ghost_clipping=True)
    optimiser = DPOptimizerFastGradientClipping(
        torch.optim.Adam(network.parameters(), lr=1e-4, fused=True),
        noise_multiplier=0.0,
        max_grad_norm=1.0,
        expected_batch_size=shape["batch"],
    )
    loss = DPLossFastGradientClipping(wrapped, optimiser, _Opinion())
    batch = shape["batch"]
    rows, nothing = torch.rand(shape["rows"], shape["inputs"])[:batch].clone(), torch.zeros(batch)
    seconds = []
    for _ in range(_WARM_UP + shape["steps"]):
        began = time.process_time()
        optimiser.zero_grad()
        loss(wrapped(rows), nothing).backward()
        optimiser.step()
        seconds.append(time.process_time() - began)
    return seconds[_WARM_UP:]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")))))
