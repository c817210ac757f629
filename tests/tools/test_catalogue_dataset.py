"""What the catalogue's benchmark serves is what a reader accepts: a refused download would measure nothing."""

from pathlib import Path

import pytest

from catalogue import dataset
from headwater.release.verification import verify_release


def test_every_release_of_the_shelf_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_ROWS", 500), ("_DATASETS", 2), ("_LARGE_BYTES", 2**16), ("_GROUP_ROWS", 256)):
        monkeypatch.setattr(dataset, name, value)
    shelf = dataset.fill_shelf(tmp_path / "releases", "ab" * 32)
    names = sorted(folder.name for folder in (tmp_path / "releases").iterdir())
    assert names == ["large", "visits-01", "visits-02"]
    found = {name: verify_release(tmp_path / "releases" / name / "1", shelf.charter).manifest for name in names}
    assert [manifest.name for manifest in found.values()] == names
    assert found["large"].rows == 2**16 // (8 * 16 * 256) * 256
