"""Who may see and read what: every level, every kind of reader, every part of the site."""

from collections.abc import Iterator

import pytest

from headwater_server.catalogue.access.reader import NOBODY, AccessRules, Reader, VisibleReleases
from headwater_server.catalogue.access.rules import Area, is_evidence, refusal_of, rule_of
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.storage.access_port import READ_REGISTERED, RUNS, SAMPLE, DatasetAccess, Level
from support.access_site import AccessSite
from support.releases import make_table, publish

HEART = "read:project:heart"
READERS = {
    "stranger": (),
    "registered": (READ_REGISTERED,),
    "heart": (HEART,),
    "lung": ("read:project:lung",),
    "watcher": (RUNS,),
}
SEEN = {
    "public": set(READERS),
    "registered": set(READERS),
    "project": {"heart"},
    "closed": {"registered"},
}
READ = {**SEEN, "registered": {"registered", "heart", "lung"}}
HIDDEN = (
    "/datasets/{}",
    "/datasets/{}/1",
    "/api/v1/releases/{}",
    "/api/v1/releases/{}/1",
    "/api/v1/releases/{}/1/files/README.md",
    "/api/v1/releases/{}/1/files/data.parquet",
    "/api/v1/releases/{}/latest/files/data.parquet",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    made = AccessSite(tmp_path_factory.mktemp("site"), changes={"default_level": "closed"})
    for name in ("public", "registered", "project", "closed"):
        publish(made.releases, made.consortium, make_table(40), name=name)
    made.put("public", Level.PUBLIC)
    made.put("registered", Level.REGISTERED)
    made.put("project", Level.PROJECT, "heart")
    yield made
    made.storage.close()


@pytest.fixture(scope="module")
def tokens(site: AccessSite) -> dict[str, str]:
    return {who: site.token(*scopes) if scopes else "" for who, scopes in READERS.items()}


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("name", SEEN)
def test_page_and_description_are_for_who_may_see(
    site: AccessSite, tokens: dict[str, str], name: str, who: str
) -> None:
    paths = (f"/datasets/{name}", f"/datasets/{name}/1", f"/api/v1/releases/{name}", f"/api/v1/releases/{name}/1")
    evidence = [
        f"/api/v1/releases/{name}/1/files/{file}" for file in ("README.md", "plots/001-age.svg", "manifest.json")
    ]
    for path in (*paths, *evidence):
        found = site.ask(path, tokens[who]).status_code
        assert found == (200 if who in SEEN[name] else 404), path


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("name", SEEN)
def test_rows_are_for_who_may_read(site: AccessSite, tokens: dict[str, str], name: str, who: str) -> None:
    for path in ("1/files/data.parquet", "latest/files/data.parquet", "000000000000000001/files/data.parquet"):
        status, code = site.code(f"/api/v1/releases/{name}/{path}", tokens[who])
        if who in READ[name]:
            assert status in (200, 307), path
        elif who not in SEEN[name]:
            assert (status, code) == (404, "not_found"), path
        else:
            assert (status, code) == ((401, "token_required") if who == "stranger" else (403, "forbidden")), path


@pytest.mark.parametrize("who", READERS)
def test_lists_hold_what_may_be_seen_and_nothing_else(site: AccessSite, tokens: dict[str, str], who: str) -> None:
    listed = {release["name"] for release in site.ask("/api/v1/releases", tokens[who]).json()["releases"]}
    assert listed == {name for name, readers in SEEN.items() if who in readers}
    page = site.ask("/", tokens[who]).text
    assert {name for name in SEEN if f'href="/datasets/{name}' in page} == listed


def test_rows_on_a_page_are_for_who_may_read(site: AccessSite, tokens: dict[str, str]) -> None:
    # Alternately, so that what was rendered for one is not shown to the other.
    for who in ("registered", "stranger", "heart", "watcher"):
        page = site.ask("/datasets/registered", tokens[who]).text
        reads = who in READ["registered"]
        assert ("synthetic rows</caption>" in page) == reads, who
        assert ('class="button" href="/api/v1/releases/registered/1/files/data.parquet" download' in page) == reads, who
        assert ("<h2>Get access</h2>" in page) != reads, who


def test_a_hidden_dataset_answers_as_one_that_there_is_not(site: AccessSite, tokens: dict[str, str]) -> None:
    for path in HIDDEN:
        for who in ("stranger", "lung", "registered"):
            hidden, none = site.ask(path.format("project"), tokens[who]), site.ask(path.format("nosuch"), tokens[who])
            assert (hidden.status_code, hidden.content, hidden.headers) == (
                none.status_code,
                none.content,
                none.headers,
            )


def test_only_files_of_public_datasets_may_be_kept_by_shared_caches(site: AccessSite, tokens: dict[str, str]) -> None:
    for name, who in (("public", "stranger"), ("public", "registered"), ("registered", "heart"), ("project", "heart")):
        answer = site.ask(f"/api/v1/releases/{name}/1/files/data.parquet", tokens[who])
        assert answer.headers["cache-control"].startswith("public" if name == "public" else "private")
        assert ("access-control-allow-origin" in answer.headers) == (name == "public")


def test_a_level_that_is_changed_holds_a_second_later(site: AccessSite) -> None:
    path = "/api/v1/releases/public/1/files/data.parquet"
    assert site.ask(path).status_code == 200
    site.put("public", Level.PROJECT, "heart")
    assert site.code(path) == (404, "not_found")
    site.put("public", Level.PUBLIC)
    assert site.ask(path).status_code == 200


def test_a_path_without_a_rule_is_refused_though_there_is_a_route() -> None:
    assert rule_of("/api/v1/brand-new").area is Area.NOWHERE
    known = Reader(AccessRules(Level.PUBLIC), "0123abcd", frozenset({READ_REGISTERED, RUNS, SAMPLE}))
    refusal = refusal_of(rule_of("/api/v1/brand-new"), known)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("/api/v1/releases/adult/1/rows", Area.ROWS),
        ("/api/v1/releases/adult/1/anything/new", Area.ROWS),
        ("/api/v1/releases/adult/1/files", Area.ROWS),
        ("/api/v1/releases/adult/1/files/data.parquet\n", Area.FILE),
        ("/api/v1/releases/adult\n", Area.DATASET),
        ("/api/v1/releases\n", Area.NOWHERE),
        ("/datasets/adult/1/files/data.parquet", Area.DATASET),
        ("/runs/0f0f", Area.RUNS),
        ("/api/v1/runs", Area.RUNS),
        ("/api/v1/samples", Area.SAMPLES),
        ("/api/v1/releases/adult/samples", Area.SAMPLES),
        ("//", Area.NOWHERE),
        ("/sign-in/x", Area.NOWHERE),
        ("/api/v1/openapi.json", Area.SITE),
    ],
)
def test_paths_are_what_they_look_like(path: str, area: Area) -> None:
    assert rule_of(path).area is area


def test_evidence_is_named_and_whatever_else_there_may_be_is_not() -> None:
    assert all(is_evidence(path) for path in ("README.md", "croissant.json", "plots/pairs.svg", "audit.json"))
    rows = (
        "data.parquet",
        "data.csv.gz",
        "generator/bundle.json",
        "views/data.parquet",
        "plots/rows.csv",
        "README.md\n",
    )
    assert not any(is_evidence(path) for path in rows)


@pytest.mark.parametrize(("scope", "path"), [(RUNS, "/api/v1/runs"), (SAMPLE, "/api/v1/samples")])
def test_runs_and_samples_need_their_scope(site: AccessSite, tokens: dict[str, str], scope: str, path: str) -> None:
    assert site.code(path)[0] == 401
    status, code = site.code(path, tokens["registered"])
    assert (status, code) == (403, "forbidden")
    assert scope in site.ask(path, tokens["registered"]).json()["error"]["message"]
    assert site.code(path, site.token(scope)) == (404, "not_found") or site.ask(path, site.token(scope)).is_success


def test_nobody_may_nothing(site: AccessSite) -> None:
    index = VisibleReleases(FolderReleaseIndex(site.releases))
    # Outside of a request there is no reader, so nothing is there.
    assert (list(index.latest()), list(index.versions("public")), index.find("public", 1)) == ([], [], None)
    assert not any(
        (NOBODY.may_enter(), NOBODY.may_see("x"), NOBODY.may_read("x"), NOBODY.may_see_runs, NOBODY.may_sample)
    )


def test_a_project_dataset_without_projects_is_for_nobody() -> None:
    rules = AccessRules(Level.PUBLIC, {"adult": DatasetAccess(Level.PROJECT)})
    assert not Reader(rules, "0123abcd", frozenset({READ_REGISTERED, HEART, RUNS, SAMPLE})).may_see("adult")
