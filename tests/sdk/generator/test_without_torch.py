"""A mixture is read and drawn where torch is not installed; other kinds say in one line what brings it."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from headwater.encoding.marginals import Marginal
from headwater.generator.bundle import Bundle
from headwater.generator.fit import initial_model
from headwater.generator.sampler import MixtureSampler, NetworkSampler
from headwater.generator.spec import GeneratorSpec
from support.mixtures import mixture_of, together

_DRAW = """
import sys

class Missing:  # as where it is not installed
    def find_spec(self, name, path, target=None):
        if name == "torch":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Missing())
from headwater.errors import InputError
from headwater.generator import load_generator

try:
    generator = load_generator(sys.argv[1])
except InputError as error:
    raise SystemExit(str(error))
rows = generator.sample(300, where={"floor": "1"}, seed=3)
assert rows.column("floor").unique().to_pylist() == ["1"], rows
assert generator.sample(300, balanced="floor").column_names[-1] == "weight"
assert generator.sample(300, views=2).column_names[-2:] == ["group_id", "view_id"]
assert next(generator.stream(10)).num_rows == 10
"""


def drawn(folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", _DRAW, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    return result.stderr.strip()


def test_a_mixture_needs_no_torch(tmp_path: Path) -> None:
    _, encoding, form, rows = together()
    Bundle(MixtureSampler(mixture_of(form, rows)), encoding).save(tmp_path / "mixture")
    assert drawn(tmp_path / "mixture") == ""


def test_a_network_says_what_is_missing(tmp_path: Path) -> None:
    _, encoding, _, _ = together()
    counts = [Marginal((column,), np.ones(size)) for column, size in enumerate(encoding.sizes)]
    spec = GeneratorSpec(encoding.sizes, label=None, latent=4, width=16, blocks=1, critic_width=8)
    Bundle(NetworkSampler(initial_model(spec, counts, seed=1)), encoding).save(tmp_path / "network")
    said = drawn(tmp_path / "network")
    assert said.endswith("pip install 'headwater[generator]' brings it"), said
    assert "\n" not in said
