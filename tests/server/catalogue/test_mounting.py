"""The catalogue beside other routes of one listener, as the coordinator serves it."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from headwater_server.catalogue import CatalogueSettings, FolderReleaseIndex, build_catalogue
from support.releases import make_consortium, publish


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/datasets/visits", 200),
        ("/static/catalogue.css", 200),
        ("/api/v1/releases/visits/1/files/data.parquet", 200),
        ("/api/v1/nothing", 404),
        ("/nothing", 404),
    ],
)
def test_mounted_catalogue_answers_as_alone(tmp_path: Path, path: str, status: int) -> None:
    consortium = make_consortium()
    publish(tmp_path, consortium)
    settings = CatalogueSettings(
        "Three Hospitals", "https://127.0.0.1:1", "127.0.0.1", lambda version: consortium.charter
    )
    app = Starlette(routes=[Mount("/", app=build_catalogue(FolderReleaseIndex(tmp_path), settings))])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
            return await client.get(path)

    answer = asyncio.run(ask())
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 404:
        assert answer.json()["error"]["code"] == "not_found"


def test_before_any_charter_the_page_still_stands(tmp_path: Path) -> None:
    settings = CatalogueSettings("Three Hospitals", "https://127.0.0.1:1", "127.0.0.1", lambda version: None)
    app = build_catalogue(FolderReleaseIndex(tmp_path), settings)

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://x") as client:
            return [(await client.get(path)).status_code for path in ("/", "/api/v1/charter", "/api/v1/releases")]

    assert asyncio.run(ask()) == [200, 404, 200]
