"""Write tests/sdk/cli/gaussian_copula.csv: what SDV's Gaussian copula makes of the tests' reference rows.

Usage: python tools/gen_copula_rows.py

The test of `headwater audit` on another generator's table reads this file and not SDV itself: SDV brings torch and a
licence of its own, and a test that installs it would need the network. SDV runs in an environment of its own
(build/bench/peer-sdv). The file changes with SDV's version in tools/bench/harness/peer_environment.py, and with the law
of tests/support/reference_generators.py: write it again where either does.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(pathlib.Path(__file__).parent / "bench"))

from harness.peer_environment import make_environment, peer_python
from headwater.schema.writing import write_csv
from support.reference_generators import fixture

__all__ = ["SEED", "main"]

ROOT = pathlib.Path(__file__).parents[1]
SEED, ROWS = 11, 2000
TARGET = ROOT / "tests" / "sdk" / "cli" / "gaussian_copula.csv"

_SCRIPT = """
import sys
import numpy as np
import pandas as pd
from sdv.metadata import Metadata
from sdv.single_table import GaussianCopulaSynthesizer
np.random.seed(0)
train = pd.read_csv(sys.argv[1])
for name in train.select_dtypes("bool"):
    train[name] = train[name].astype(str).str.lower()
kinds = {name: "numerical" if train[name].dtype.kind in "if" else "categorical" for name in train}
columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
made = GaussianCopulaSynthesizer(Metadata.load_from_dict({"tables": {"reference": {"columns": columns}}}))
made.fit({"reference": train})
rows = made.sample(num_rows=len(train))
(rows["reference"] if isinstance(rows, dict) else rows).to_csv(sys.argv[2], index=False)
"""


def main() -> None:
    """Fit and write."""
    if why := make_environment("sdv"):
        raise SystemExit(f"error: SDV has no environment: {why}")
    train, _, _ = fixture(SEED, ROWS, ROWS)
    with tempfile.TemporaryDirectory() as name:
        rows = pathlib.Path(name) / "train.csv"
        write_csv(train, rows)
        subprocess.run([str(peer_python("sdv")), "-W", "ignore", "-c", _SCRIPT, str(rows), str(TARGET)], check=True)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
