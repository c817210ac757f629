"""What a benchmark of privacy shows: tables and pictures."""

import pathlib
import xml.etree.ElementTree

import pytest

from privacy.pictures import MEMBERS_PICTURE, UTILITY, draw
from privacy.report import describe
from support.privacy_bench import full_run


def test_tables_of_a_full_run_are_even_and_name_every_part() -> None:
    text = describe({"machine": "a machine", "rows": full_run()})
    tables = [[line for line in block.splitlines() if line.startswith("|")] for block in text.split("\n\n")]

    assert all(len({line.count("|") for line in lines}) <= 1 for lines in tables)
    for words in (
        "ε = 0.3, AIM",
        "ε = 8, MST",
        "no privacy, ours",
        "#### credit",
        "#### diabetes130",
        "Opacus",
        "local",
    ):
        assert words in text


def test_what_peers_were_given_is_said_beside_their_figures() -> None:
    text = describe({"machine": "a machine", "rows": full_run()})
    without = {name: seeds for name, seeds in full_run().items() if "-aim-" not in name and "-mst-" not in name}

    assert "- AIM: dpmm 0.1.9, 16 bins of as many cells each" in text
    assert "dpmm" not in describe({"machine": "a machine", "rows": without})


def test_fits_stand_beside_the_default_where_they_were_measured() -> None:
    text = describe({"machine": "a machine", "rows": full_run()})
    lines = text.split("#### Fits to the same budget, Adult")[1].split("####")[0].splitlines()

    assert [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| ε =")] == [
        f"ε = {epsilon}, {fit}"
        for epsilon in (1, 3)
        for fit in ("mixture, **the default**", "network on the same tables", "mixture by noised EM")
    ]
    assert "the default" not in describe({"machine": "a machine", "rows": {"adult-ours-1": full_run()["adult-ours-1"]}})


@pytest.mark.parametrize(
    ("better", "said"),
    [
        ((), "It helps nowhere; `marginals` is the default"),
        (
            ("adult-hybrid-3",),
            "beyond the spread of the seeds on Adult, ε = 3, and not on Adult, ε = 1; Adult, ε = 8; ",
        ),
    ],
)
def test_where_a_critic_helps_is_told_from_the_figures(better: tuple[str, ...], said: str) -> None:
    measured = full_run()
    for name in better:
        measured[name] = [{**figures, "gbm": figures["gbm"] + 0.01} for figures in measured[name]]
    text = describe({"machine": "a machine", "rows": measured}).split("#### Marginals and a critic")[1].split("####")[0]

    assert said in text
    assert sum(line.count("hybrid") for line in text.splitlines() if line.startswith("| ")) == 4


def test_a_seed_that_failed_is_told_and_not_counted() -> None:
    measured = full_run()
    measured["adult-aim-1"] = [measured["adult-aim-1"][0], {"failed": "it ran out of memory"}]
    text = describe({"machine": "a machine", "rows": measured})

    assert "- **adult-aim-1 FAILED**: it ran out of memory" in text


def test_a_run_of_nothing_has_its_numbers_alone() -> None:
    text = describe({"machine": "a machine", "rows": {}})

    assert "#### Numbers to reach" in text
    assert text.count("####") == 1


def test_pictures_are_drawn_where_rows_allow(tmp_path: pathlib.Path) -> None:
    assert [path.name for path in draw(full_run(), tmp_path)] == [UTILITY, MEMBERS_PICTURE]
    for name in (UTILITY, MEMBERS_PICTURE):
        xml.etree.ElementTree.parse(tmp_path / name)
    assert draw({"adult-real": full_run()["adult-real"]}, tmp_path / "none") == []
