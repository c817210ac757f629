"""The values on record: a change of any derivation, mask or message format shows here."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_code_still_gives_the_vectors_on_record() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "gen_vectors.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
