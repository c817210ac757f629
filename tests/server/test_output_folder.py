"""A result folder takes the former one's place whole, or leaves it as it was."""

import errno
from pathlib import Path

import pytest

from headwater.errors import InputError, StorageError
from headwater_server.output_folder import result_folder


def make(folder: Path, text: str) -> None:
    with result_folder(folder, "simulate") as fresh:
        (fresh / "result.json").write_text(text)


def test_a_new_folder_takes_the_place_of_the_former_and_nothing_else_is_left(tmp_path: Path) -> None:
    out = tmp_path / "sim"
    make(out, "first")
    make(out, "second")
    assert (out / "result.json").read_text() == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sim"]


def test_a_folder_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, rename = tmp_path / "sim", Path.rename
    make(out, "first")

    def refused(source: Path, target: Path) -> Path:
        # Only the step that puts the new folder in the former one's place.
        if target == out and source.name.startswith(".sim-") and not source.name.endswith("-former"):
            raise OSError(errno.EACCES, "Permission denied")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(StorageError, match="it is as it was"):
        make(out, "second")
    assert (out / "result.json").read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sim"]


def test_what_came_in_the_way_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "sim"
    block = result_folder(out, "simulate")
    block.__enter__()
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="was not made by simulate"):
        block.__exit__(None, None, None)
    assert (out / "thesis.txt").read_text() == "precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sim"]
