"""What each path of the site asks of a reader; a path that stands here nowhere is refused."""

import re
from dataclasses import dataclass
from enum import Enum

from headwater.release.layout import ATTESTATION, AUDIT, CARD, CHECKSUMS, MANIFEST, SCHEMA
from headwater.release.withdrawal import WITHDRAWN
from headwater_server.catalogue.access.reader import Reader
from headwater_server.storage.access_port import READ_REGISTERED, RUNS, SAMPLE

__all__ = ["Area", "Refusal", "Rule", "is_evidence", "refusal_of", "rule_of"]


class Area(Enum):
    """Parts of the site."""

    OPEN = "what the form to sign in needs, and whether the catalogue answers"
    SITE = "lists, the charter, the API's description"
    DATASET = "page and description of one dataset"
    ROWS = "rows of one dataset"
    FILE = "a file of one dataset"
    RUNS = "runs"
    SAMPLES = "rows drawn on request"
    NOWHERE = "no part of the site"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a path is.

    Attributes:
        area: that it lies in.
        name: the dataset's, where it is about one.
        version: of the dataset, for a file; 0 where the path names the latest.
        path: of the file.
    """

    area: Area
    name: str = ""
    version: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success, with a code that programs can rely on."""

    status: int
    code: str
    message: str


_SITE = re.compile(
    r"/"
    r"|/(datasets|search|compare|about|api|docs|openapi)(/)?"
    r"|/api/v1/(charter|charters/[0-9]+|openapi\.json|releases|datasets|search|summary)"
)
_OPEN = re.compile(r"/sign-in|/sign-out|/static/.*|/api/v1/health|/favicon\.ico|/robots\.txt", re.DOTALL)
_FILE = re.compile(r"/api/v1/releases/([^/]+)/([0-9]{1,18}|latest)/files/(.*)", re.DOTALL)
_ASKED = re.compile(r"/api/v1/(?:releases|datasets)/([^/]+)/(?:[0-9]+/)?samples?(/.*)?", re.DOTALL)
_PAGES = re.compile(r"/datasets/([^/]+)(/.*)?", re.DOTALL)
_DESCRIPTION = re.compile(
    r"/api/v1/(?:releases|datasets)/([^/]+)(/[0-9]{1,18})?(/(versions|schema|card|audit|differences|withdrawal))?"
)
# Whatever else is said of a dataset to programs may hold rows of it.
_ROWS = re.compile(r"/api/v1/(?:releases|datasets)/([^/]+)/.*", re.DOTALL)
_RUNS = re.compile(r"(/api/v1)?/runs(/.*)?", re.DOTALL)
_SAMPLES = re.compile(r"(/api/v1)?/samples?(/.*)?", re.DOTALL)

_EVIDENCE = frozenset({MANIFEST, CARD, AUDIT, ATTESTATION, CHECKSUMS, SCHEMA, WITHDRAWN, "croissant.json"})


def is_evidence(path: str) -> bool:
    """Tell whether a file says what a release is, rather than being a part of its rows.

    What a page shows of a registered dataset to everybody may be loaded by everybody: card, schema, drawings, and
    what was signed.
    """
    return path in _EVIDENCE or (path.startswith("plots/") and path.endswith(".svg"))


def rule_of(path: str) -> Rule:
    """What a path is, decoded as routes see it."""
    if _OPEN.fullmatch(path):
        return Rule(Area.OPEN)
    if _SITE.fullmatch(path):
        return Rule(Area.SITE)
    if found := _FILE.fullmatch(path):
        return Rule(Area.FILE, found[1], int(found[2]) if found[2].isdecimal() else 0, found[3])
    if found := _ASKED.fullmatch(path):
        return Rule(Area.SAMPLES, found[1])
    if found := _PAGES.fullmatch(path) or _DESCRIPTION.fullmatch(path):
        return Rule(Area.DATASET, found[1])
    if found := _ROWS.fullmatch(path):
        return Rule(Area.ROWS, found[1])
    if _RUNS.fullmatch(path):
        return Rule(Area.RUNS)
    if _SAMPLES.fullmatch(path):
        return Rule(Area.SAMPLES)
    return Rule(Area.NOWHERE)


def refusal_of(rule: Rule, reader: Reader) -> Refusal | None:
    """Why the reader may not have this; None where nothing stands against it.

    A dataset that the reader may not see is not refused here: for such a reader there is none, and the answer is the
    same as for a name that nobody ever used.
    """
    match rule.area:
        case Area.OPEN:
            return None
        case _ if not reader.may_enter():
            return _token_required("this catalogue asks for a token")
        case Area.NOWHERE:
            return Refusal(404, "not_found", "There is no such page in this catalogue.")
        case Area.SITE | Area.DATASET:
            return None
        case Area.FILE | Area.ROWS:
            if not reader.may_see(rule.name) or is_evidence(rule.path) or reader.may_read(rule.name):
                return None
            return _needs(reader, READ_REGISTERED, "the rows of this dataset")
        case Area.RUNS:
            return None if reader.may_see_runs else _needs(reader, RUNS, "pages of runs")
        case Area.SAMPLES:
            if not reader.may_sample:
                return _needs(reader, SAMPLE, "drawing rows on request")
            if rule.name and reader.may_see(rule.name) and not reader.may_read(rule.name):
                return _needs(reader, READ_REGISTERED, "the rows of this dataset")
            return None


def _needs(reader: Reader, scope: str, what: str) -> Refusal:
    if reader.anonymous:
        return _token_required(f"{what} needs a token" if what.startswith("drawing") else f"{what} need a token")
    return Refusal(403, "forbidden", f"this token is not good for {what}; ask the consortium for one of scope {scope}")


def _token_required(what: str) -> Refusal:
    return Refusal(401, "token_required", f"{what}; give it with `headwater catalogue add … --token`, or sign in")
