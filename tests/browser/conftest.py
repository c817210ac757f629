"""A real catalogue over TLS and a real browser: Debian's chromium, driven by Playwright."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.shown_site import ShownSite, shown_site

CHROMIUM = Path("/usr/bin/chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser, which not every machine has: make test-browser brings one."""
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownSite]:
    """The catalogue that is looked at."""
    with shown_site(tmp_path_factory.mktemp("site")) as shown:
        yield shown


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is not here; install it with: apt-get install --no-install-recommends chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(site: ShownSite, browser: Any) -> Callable[..., Any]:
    """Opens pages of the site in contexts of their own; whatever goes wrong in a page fails the test."""

    @contextmanager
    def opened(
        path: str, *, width: int = 1280, scheme: str = "light", script: bool = True, said: int = 200, at: str = ""
    ) -> Iterator[Any]:
        context = browser.new_context(
            base_url=at or site.url,
            # The certificate is signed by the test's own authority, which the browser does not know.
            ignore_https_errors=True,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
            accept_downloads=True,
        )
        try:
            page = context.new_page()
            page.set_default_timeout(10_000)
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(f"error: {error}"))
            page.on(
                "console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else 0
            )
            page.on("requestfailed", lambda request: problems.append(f"failed: {request.url} {request.failure}"))
            answer = page.goto(path)
            assert answer.status == said
            yield page
        finally:
            context.close()
        # Chromium itself tells of a page that is a refusal.
        told = [problem for problem in problems if not (said >= 400 and "Failed to load resource" in problem)]
        told = [problem for problem in told if "ERR_ABORTED" not in problem]
        assert told == []

    return opened


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where pictures of pages are kept."""
    folder = Path(os.environ.get("HEADWATER_ARTEFACTS", "artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core as one script."""
    file = os.environ.get("HEADWATER_AXE", "")
    if not file or not Path(file).is_file():
        pytest.fail('HEADWATER_AXE names no file; run: HEADWATER_AXE="$(tools/ensure_browser.sh)" python -m pytest …')
    return Path(file).read_text(encoding="utf-8")
