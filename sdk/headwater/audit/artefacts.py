"""Artefacts: does anything that is published hold more than synthetic rows and what is said of them?"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.audit.foreign_bytes import foreign
from headwater.audit.parquet_extent import UnreadableFooter, unnamed_bytes
from headwater.audit.parquet_marks import marks_of_columns, marks_of_parquet, notes_of_parquet
from headwater.audit.rare_texts import RareTexts
from headwater.audit.telling_texts import telling_in_json, telling_in_text
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.generator.rows import extra_names
from headwater.model_header import metadata_of
from headwater.schema import Schema
from headwater.schema.reading import read_arrow

__all__ = ["Artefacts", "Finding", "marks_of_shard", "scan"]

I64 = NDArray[np.int64]

_TEXTS = {".md", ".toml", ".svg", ".html", ".txt"}
_DOCUMENTS = {".json", ".jsonl", ".dsse"}
_ROWS = {".parquet", ".csv"}
# As a person may hold rows that nobody published yet; a release has neither.
_ROWS_ALONE = {".pq": ".parquet", ".tsv": ".tsv", ".csv.gz": ".csv", ".tsv.gz": ".tsv"}
# The one compressed file of a release.
_ROWS_AS_TEXT = "data.csv.gz"
_MODELS = {".safetensors"}
_HEADER = 1 << 20
_MOST_TOLD, _LONGEST = 50, 400
# Columns of a release's other configurations, beside the schema's.
_ADDED = {"balanced/data.parquet": ("weight",), "views/data.parquet": ("group_id", "view_id")}
_NAMES = {"SHA256SUMS", "LICENSE"}
# Of very many rows all files but the first.
_LATER_SHARD = re.compile(r"large/part-(?!00000)[0-9]{5}\.parquet")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be published.

    Attributes:
        file: path inside what is published.
        what: in words, never with the thing itself.
    """

    file: str
    what: str

    def in_words(self) -> str:
        """One line."""
        return f"{self.file}: {self.what}"


class Artefacts:
    """Whoever downloads the files looks at all of them, not only at the rows.

    Every file is opened: what it is by its first bytes and by its ending, what stands in its text and in its metadata.
    Nothing that is found is run, and no finding holds what it found.

    Cost: one reading of every file; of very many rows one row group is in memory at a time.

    Attributes:
        findings: what was found, file by file.

    Args:
        candidate: whose release it is.
        settings: of the audit; nothing in them matters here.
        published: a folder, or a single file of rows; None where nothing is on disk yet.
        texts: of real rows, where whoever looks has them: `headwater.audit.rare_texts.rare_texts`.
    """

    name = "artefacts"
    federated = True
    size = 0
    about = About(
        title="Artefacts in the published files",
        question="Do the published files hold anything but synthetic rows and words about them?",
        knowledge="Every published file, byte by byte.",
        statistic="How many findings there are; 0 where the files are clean.",
        misses="What is hidden on purpose in values that look right; texts of rows, where the rows are not at hand.",
        source="Design of the gate, G7",
        disclosure="public",
    )

    def __init__(
        self,
        candidate: Candidate,
        settings: AuditSettings,
        published: Path | None = None,
        texts: RareTexts | None = None,
    ) -> None:
        """Bind to what is published."""
        self._schema = candidate.table.schema
        self._published = published
        self._texts = texts

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was found; empty too where nothing is on disk."""
        return () if self._published is None else scan(self._published, self._schema, self._texts)

    def _notes(self) -> Iterator[str]:
        for path, file in _files(self._published) if self._published is not None else ():
            if file.suffix.lower() not in (".parquet", ".pq") or file.is_symlink():
                continue
            # What cannot be read is a finding, and nothing to note.
            with suppress(pa.ArrowException, OSError):
                yield from (f"{path}, harmless: {note}" for note in notes_of_parquet(file, self._schema))

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Nothing: what is published is before everybody."""
        return np.zeros(0, np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """The number of findings, with the first of them among the details, in words, and what was found harmless.

        Raises:
            InputError: counts of another check, or there are no such files.
        """
        if counts.shape != (0,):
            raise InputError("artefacts counts nothing where the rows are; these are counts of another check")
        if self._published is None:
            reason = "no published file was given; name the release's folder or the file of synthetic rows"
            return (Measure(check=self.name, status="not applicable", reason=reason),)
        files = len(_files(self._published))
        told = [*(finding.in_words() for finding in self.findings), *self._notes()]
        details = {words[:_LONGEST]: 1.0 for words in told[:_MOST_TOLD]}
        measure = Measure(
            check=self.name, value=float(len(self.findings)), null=0.0, trials=files, details=details
        )  # fmt: skip
        return (measure,)


def scan(published: Path, schema: Schema, texts: RareTexts | None = None) -> tuple[Finding, ...]:
    """Look through a folder that is to be published, or through one file.

    Args:
        published: the folder or file. A file may be of tabbed or compressed text, and is looked at as its text; in a
            folder such files are of an unexpected kind, but for data.csv.gz.
        schema: of its rows; what a release's configurations have beside its columns is known here.
        texts: of real rows, that must be nowhere.

    Returns:
        One finding for each kind of thing in each file, in the order of paths.

    Raises:
        InputError: there is no such folder or file.
    """
    return tuple(
        Finding(path, what)
        for path, file in _files(published)
        for what in dict.fromkeys(
            _found(path, file, schema, texts or RareTexts(()), alone=file == published or path == _ROWS_AS_TEXT)
        )
    )


def marks_of_shard(file: Path, schema: Schema) -> Iterator[str]:
    """What is wrong with one of the files of very many rows, but the first, whatever its size.

    Rows are read one row group at a time, and the file's bytes are held to what its footer names.

    Args:
        file: to look at.
        schema: of its rows.
    """
    with file.open("rb") as opened:
        head = opened.read(4)
        opened.seek(max(0, file.stat().st_size - 4))
        tail = opened.read(4)
    if head != b"PAR1" or tail != b"PAR1":
        yield "bytes before or after a Parquet file"
    try:
        yield from marks_of_parquet(file, schema)
        if unnamed_bytes(file):
            yield "bytes between its columns that no part of it names"
    except (pa.ArrowException, OSError, UnreadableFooter):
        yield "rows that cannot be read under a name that says they can"


def _files(published: Path) -> list[tuple[str, Path]]:
    if published.is_file():
        return [(published.name, published)]
    if not published.is_dir():
        raise InputError(f"there is no folder or file {published.name}; name what is to be published")
    every = sorted(published.rglob("*"))
    return [(file.relative_to(published).as_posix(), file) for file in every if file.is_symlink() or not file.is_dir()]


def _found(path: str, file: Path, schema: Schema, texts: RareTexts, *, alone: bool) -> Iterator[str]:
    if file.is_symlink() or not file.is_file():
        yield "a link or device where a plain file was expected"
        return
    if any(part.startswith(".") for part in Path(path).parts):
        yield "a hidden file"
    if texts.found_in(path):
        yield "a rare text of the real rows in its name"
    if _LATER_SHARD.fullmatch(path):
        yield from marks_of_shard(file, schema)
        return
    content = file.read_bytes()
    kind = "" if file.name in _NAMES else file.suffix.lower()
    if alone and (ending := next((each for each in _ROWS_ALONE if file.name.lower().endswith(each)), None)):
        kind = _ROWS_ALONE[ending]
        if ending.endswith(".gz"):
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error):
                yield "bytes that are no gzip, or bytes behind it"
                return
    yield from (f"holds {words}" for words in foreign(content))
    if alone and kind == ".tsv":
        yield from _found_in_rows(path, file, content, schema, kind)
    elif file.name not in _NAMES and kind not in _TEXTS | _DOCUMENTS | _ROWS | _MODELS:
        yield f"a file of an unexpected kind ({kind or 'no ending'})"
    elif kind in _MODELS:
        yield from _found_in_model(content, texts)
    elif kind in _ROWS:
        yield from _found_in_rows(path, file, content, schema, kind)
    else:
        yield from _found_in_text(content, kind, texts)


def _found_in_text(content: bytes, kind: str, texts: RareTexts) -> Iterator[str]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        yield "bytes that are no text"
        return
    if "\x00" in text:
        yield "bytes that are no text"
    if kind in _DOCUMENTS:
        try:
            parts = text.splitlines() if kind == ".jsonl" else [text]
            for part in parts:
                yield from telling_in_json(part)
        except (ValueError, RecursionError):
            yield "no JSON under a name that says JSON"
    else:
        yield from telling_in_text(text)
    if texts.found_in(text):
        yield "a rare text of the real rows"


def _found_in_rows(path: str, file: Path, content: bytes, schema: Schema, kind: str) -> Iterator[str]:
    head = content[:_HEADER].split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r\n ")
    try:
        if kind == ".parquet":
            if content[:4] != b"PAR1" or content[-4:] != b"PAR1":
                yield "bytes before or after a Parquet file"
            yield from marks_of_parquet(file, schema, tuple(extra_names(schema, _ADDED.get(path, ())).values()))
        elif "" in next(csv.reader([head], delimiter="\t" if kind == ".tsv" else ","), [""]):
            # As a data frame's index is written; no reader here takes such a file.
            yield "a column without a name"
        else:
            yield from marks_of_columns(read_arrow(file), schema)
    except (InputError, pa.ArrowException, OSError):
        yield "rows that cannot be read under a name that says they can"


def _found_in_model(content: bytes, texts: RareTexts) -> Iterator[str]:
    try:
        metadata = metadata_of(content, "generator")
    except InputError:
        yield "no model under a name that says one"
        return
    for value in metadata.values():
        text = str(value)
        try:
            yield from telling_in_json(text)
        except (ValueError, RecursionError):
            yield from telling_in_text(text)
        if texts.found_in(text):
            yield "a rare text of the real rows"
