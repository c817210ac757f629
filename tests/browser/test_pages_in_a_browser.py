"""Pages as a person meets them: on a telephone and a desk, by keyboard alone, without scripts, in the dark."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headwater_server.storage import RunState
from support.catalogue_server import run_catalogue
from support.releases import publish
from support.shown_site import RUN, RUN_OVER, ShownSite

PAGES = {
    "index": "/",
    "search": "/?text=visits&privacy=epsilon",
    "nothing": "/?text=unicorns",
    "dataset": "/datasets/visits",
    "private": "/datasets/private-visits",
    "withdrawn": "/datasets/visits/1",
    "compare": "/datasets/visits/compare?from=2&to=3",
    "runs": "/runs",
    "run": f"/runs/{RUN_OVER}",
    "api": "/api",
}
WIDTHS = {"phone": 390, "desk": 1280}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_is_accessible_and_complains_of_nothing(
    open_page: Callable[..., Any], artefacts: Path, axe: str, name: str, scheme: str
) -> None:
    with open_page(PAGES[name], width=WIDTHS["desk"], scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })")
        page.evaluate("Promise.all([...document.images].map(each => each.decode()))")
        for width_name, width in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width_name}"
            page.screenshot(path=artefacts / f"{name}-{width_name}-{scheme}.png", full_page=True)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.name = ''; each.open = true; })")
        # Scheme and colours apart, the page in the dark is the same.
        for width in WIDTHS.values() if scheme == "light" else [WIDTHS["desk"]]:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name}, opened, is too wide"
            assert serious_violations(page, axe, colours_alone=scheme == "dark") == []


@pytest.mark.parametrize("width", [320, 360])
@pytest.mark.parametrize("name", ["index", "dataset", "run", "compare"])
def test_a_page_fits_on_the_smallest_telephones(open_page: Callable[..., Any], name: str, width: int) -> None:
    with open_page(PAGES[name], width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def serious_violations(page: Any, axe: str, *, colours_alone: bool = False) -> list[str]:
    """What axe-core finds that keeps people out, each with the first place where it does."""
    # The policy of the pages lets no script of others in; the debugger may.
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    rules = "runOnly: ['color-contrast']," if colours_alone else ""
    found = page.evaluate(f"axe.run(document, {{{rules} resultTypes: ['violations']}})")
    return [
        f"{each['id']} ({each['impact']}): {each['help']} at {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_a_problem_is_a_page_too(open_page: Callable[..., Any], axe: str, artefacts: Path) -> None:
    with open_page("/datasets/nobody", width=390, said=404) as page:
        assert page.locator("h1").inner_text() == "Not found"
        assert serious_violations(page, axe) == []
        page.screenshot(path=artefacts / "problem-phone-light.png")


def test_words_and_filters_narrow_the_list_and_can_be_taken_away(open_page: Callable[..., Any]) -> None:
    with open_page("/") as page:
        assert page.locator("#results").inner_text() == "3 datasets"
        page.fill("#text", "visits")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?text=visits")
        page.select_option("#f-privacy", "epsilon")
        page.click("text=Apply")
        page.wait_for_url("**/?text=visits&privacy=epsilon")
        assert page.locator("#results").inner_text() == "2 of 3 datasets"
        assert page.locator(".card h3").all_inner_texts() == ["Hospital visits", "Hospital visits"]
        page.click(".active a:has-text('Privacy')")
        page.wait_for_url("**/?text=visits")
        assert page.locator("#results").inner_text() == "3 of 3 datasets"
        page.fill("#text", "unicorns")
        page.click("text=Search >> nth=-1")
        assert "No dataset answers this search" in page.locator(".empty").inner_text()


def test_the_keyboard_alone_leads_from_the_index_to_a_download(open_page: Callable[..., Any]) -> None:
    with open_page("/") as page:
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to content"
        assert page.locator(".skip").bounding_box()["x"] >= 0
        tab_to(page, lambda: page.evaluate("document.activeElement.id") == "text")
        page.keyboard.type("ward")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?text=ward")
        tab_to(page, lambda: page.evaluate("document.activeElement.getAttribute('href')") == "/datasets/visits")
        assert has_visible_focus(page, ".card:focus-within")
        page.keyboard.press("Enter")
        page.wait_for_url("**/datasets/visits")
        tab_to(page, lambda: focused(page).startswith("data.parquet"))
        assert has_visible_focus(page, "a.button:focus-visible")
        with page.expect_download() as started:
            page.keyboard.press("Enter")
        assert Path(started.value.path()).read_bytes()[:4] == b"PAR1"


def tab_to(page: Any, there: Callable[[], bool]) -> None:
    """Press Tab until it is there, at most eighty times."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if there():
            return
    pytest.fail(f"no way there by keyboard; the focus is on {focused(page)!r}")


def focused(page: Any) -> str:
    """The words of what has the focus."""
    return str(page.evaluate("document.activeElement.innerText || document.activeElement.value || ''"))


def has_visible_focus(page: Any, selector: str) -> bool:
    """Whether it has an outline of two pixels at least."""
    width = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).outlineWidth")
    return float(re.sub("[a-z]", "", width)) >= 2


@pytest.mark.parametrize("script", [True, False])
def test_a_reader_signs_in_with_a_token_and_out_again(
    open_page: Callable[..., Any], tmp_path: Path, *, script: bool
) -> None:
    token = "a-token-of-this-test-alone"
    with run_catalogue(tmp_path, token=token) as closed:
        publish(closed.releases, closed.consortium)
        with open_page("/sign-in?next=/datasets/visits", at=closed.url, script=script) as page:
            page.fill("#token", token)
            page.keyboard.press("Enter")
            page.wait_for_url(f"{closed.url}/datasets/visits")
            assert page.request.get("/datasets/visits", max_redirects=0).status == 200
            page.click("text=Sign out")
            page.wait_for_url(f"{closed.url}/sign-in?next=/")
            assert page.request.get("/datasets/visits", max_redirects=0).status != 200


def test_everything_is_there_without_scripts(open_page: Callable[..., Any]) -> None:
    with open_page("/", width=390, script=False) as page:
        assert not page.locator("#f-privacy").is_visible()
        page.click("label.more")
        page.select_option("#f-verdict", "pass")
        page.click("text=Apply")
        assert page.locator("#results").inner_text() == "1 of 3 datasets"
        page.click(".card a >> nth=0")
        page.click("text=What each of the")
        assert page.locator("table.gates").is_visible()
        page.click("summary:has-text('pandas')")
        assert page.locator("text=pd.read_parquet").is_visible()
        page.click("text=Show differences")
        assert page.locator("h1").inner_text() == "Version 2 and version 3"
        assert page.locator(".copy").count() == 0
    with open_page(f"/runs/{RUN}", script=False) as page:
        assert page.locator("#progress li").count() >= 4


def test_a_run_goes_on_by_itself_and_says_when_it_is_over(
    open_page: Callable[..., Any], site: ShownSite, artefacts: Path
) -> None:
    with open_page(f"/runs/{RUN}") as page:
        page.wait_for_selector("[data-live=link]:has-text('live')")
        lines = page.locator("#progress li").count()
        site.storage.add_progress(RUN, {"kind": "aborted", "round": 2, "reason": "<b>north</b> is away"})
        page.wait_for_selector("#progress li.warn:has-text('round 2 aborted: <b>north</b> is away')")
        assert page.locator("#progress li").count() == lines + 1
        page.screenshot(path=artefacts / "run-live-desk-light.png")
        site.storage.move_run(RUN, RunState.FAILED, "too few organisations were there")
        page.wait_for_selector("[data-live=state]:has-text('failed')")
        page.wait_for_selector("text=too few organisations were there")
        page.wait_for_selector("[data-events]", state="detached")


def test_code_can_be_copied(open_page: Callable[..., Any]) -> None:
    with open_page("/datasets/visits") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.hover(".copyable >> nth=0")
        page.click(".copy >> nth=0")
        page.wait_for_selector(".copy:has-text('Copied')")
        assert page.evaluate("navigator.clipboard.readText()") == "headwater download visits"


def test_a_printed_page_leaves_out_what_paper_cannot_do(open_page: Callable[..., Any]) -> None:
    with open_page("/datasets/visits") as page:
        page.emulate_media(media="print")
        assert not page.locator("nav.contents").is_visible()
        assert not page.locator("a.button >> nth=0").is_visible()
        assert page.locator("#verdict").is_visible()
