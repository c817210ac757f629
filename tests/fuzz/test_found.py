"""What fuzzing found, each case held for ever."""

import base64
import tracemalloc
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError, PeerError
from headwater.generator.model import Model
from headwater.generator.spec import GeneratorSpec
from headwater.recipe.task import Task
from headwater.rpc.certificates import load_certificate
from headwater.rpc.v1 import enrolment_pb2
from headwater.schema import NumericColumn, Schema
from headwater_server.services.enrolment import admit
from support.fuzzing.agreed import NOW, enrolment, proved

SPEC = GeneratorSpec((3, 2), label=1, latent=2, width=4, blocks=1, critic_width=2, critic_layers=1)
SCHEMA = Schema(name="one", columns=(NumericColumn(name="age", lower=0, upper=9, integer=True),))
TASK = Task(kind="histograms", step=1, length=12, value_bits=20, seed=3).to_bytes()


@pytest.mark.parametrize(
    "spelling",
    [
        b" " + TASK,
        TASK.replace(b'"step":1', b'"step":1.0'),
        TASK.replace(b'"step":1', b'"step":"1"'),
        TASK.replace(b'"clip":null,', b""),
        TASK.replace(b'"step":1', b'"step":2,"step":1'),
    ],
)
def test_a_task_in_a_second_spelling_is_refused(spelling: bytes) -> None:
    with pytest.raises(PeerError, match="canonical"):
        Task.from_bytes(spelling)


@pytest.mark.parametrize("scale", [b"1e999", b"NaN", b"-0.0", b"9007199254740993"])
def test_a_task_with_a_number_that_json_cannot_keep_is_refused(scale: bytes) -> None:
    with pytest.raises(PeerError):
        Task.from_bytes(TASK.replace(b'"scale":1', b'"scale":' + scale))


@pytest.mark.parametrize(
    "change",
    [
        {"latent": 2.5},
        {"latent": True},
        {"latent": "2"},
        {"width": 4.0},
        {"label": 0.5},
        {"sizes": [3.5, 2]},
        {"attention_heads": 2**63},
        {"attention_heads": -1},
        {"groups": [{"columns": [0, 1], "combinations": [[0.5, 1]]}]},
        {"groups": [{"columns": [0, 1], "combinations": [[2**40, 1]]}]},
        {"groups": [{"columns": [0, 1], "combinations": [[-1, 1]]}]},
        {"groups": [{"columns": [0.0, 1], "combinations": [[0, 1]]}]},
    ],
)
def test_a_description_of_other_than_whole_numbers_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        GeneratorSpec.from_document(SPEC.to_document() | change)


def test_a_short_description_of_a_huge_network_is_refused_without_its_memory() -> None:
    weights = np.zeros(8, np.float32)
    spec = GeneratorSpec((1_000_000,), width=8192, blocks=32, latent=4096, critic_width=8192, critic_layers=32)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="weights of its shape"):
            Model(spec, weights, weights, weights)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_a_super_column_of_too_many_combinations_is_refused() -> None:
    sizes = [500_000, 400_000]
    combinations = [[code, 0] for code in range(400)]
    document = SPEC.to_document() | {"sizes": sizes, "groups": [{"columns": [0, 1], "combinations": combinations}]}
    with pytest.raises(InputError, match="too many combinations"):
        GeneratorSpec.from_document(document)
    # Neither are many that pass one by one.
    sizes = [50_000] * 20
    groups = [{"columns": [place, place + 1], "combinations": combinations[:300]} for place in range(0, 20, 2)]
    with pytest.raises(InputError, match="too many combinations"):
        GeneratorSpec.from_document(SPEC.to_document() | {"sizes": sizes, "groups": groups})


def test_many_tokens_as_wide_as_one_are_refused() -> None:
    document = SPEC.to_document() | {"sizes": [1] * 1000 + [500_000], "kind": "attention", "label": None}
    with pytest.raises(InputError, match="takes too much memory"):
        GeneratorSpec.from_document(document | {"attention_heads": 1})


@pytest.mark.parametrize("document", [None, [], "schema", 3])
def test_a_schema_that_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(InputError, match="schema"):
        Schema.from_document(document)


@pytest.mark.parametrize("text", ["version = " + "9" * 5000, "version = " + "[" * 5000, "version = 0x" + "f" * 6000])
def test_a_schema_that_breaks_the_toml_parser_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not TOML"):
        Schema.from_toml(text)


def test_runs_of_codes_whose_lengths_wrap_around_are_refused_without_their_memory() -> None:
    settings = EncodingSettings()
    cells = Histograms.of(SCHEMA, settings).length
    document = Encoding.fit(SCHEMA, np.ones(cells, np.int64), settings).to_document(masses=False)
    runs = [[0, 2**62], [1, 2**62], [2, 2**62], [3, 2**62 + cells]]
    assert sum(length for _, length in runs) % 2**64 == cells
    with pytest.raises(InputError, match="form"):
        Encoding.from_document(SCHEMA, document | {"columns": [{"codes": runs}]})


@pytest.mark.parametrize("most", [2**53 - 1, 2**53])
def test_masses_of_more_rows_than_json_can_write_are_refused(most: int) -> None:
    settings = EncodingSettings()
    cells = Histograms.of(SCHEMA, settings).length
    document: dict[str, Any] = Encoding.fit(SCHEMA, np.ones(cells, np.int64), settings).to_document()
    (column,) = document["columns"]
    # Added up in float64, 2^53 and one are 2^53 again.
    masses = [most, 1, *[0] * (cells - 2)]
    with pytest.raises(InputError, match="form"):
        Encoding.from_document(SCHEMA, document | {"columns": [{**column, "masses": masses}]})


def test_a_flower_key_with_a_compressed_point_is_refused() -> None:
    # cryptography raises NotImplementedError for it.
    honest, authority, agreed = enrolment()
    kind, text = honest.flower_public_key.split()[:2]
    blob = base64.b64decode(text)
    request = enrolment_pb2.EnrolRequest()
    request.CopyFrom(honest)
    request.flower_public_key = kind + b" " + base64.b64encode(blob[:-97] + b"\2" + blob[-96:])
    with pytest.raises(InputError, match="Flower key"):
        admit(proved(request, agreed), authority, NOW)


def with_version(pem: bytes, before: bytes) -> bytes:
    """PEM whose first INTEGER after these bytes is 64."""
    begin, *lines, end = pem.decode().strip().splitlines()
    der = base64.b64decode("".join(lines))
    place = der.index(before) + len(before)
    body = base64.encodebytes(der[:place] + bytes([64]) + der[place + 1 :]).decode()
    return f"{begin}\n{body}{end}\n".encode()


def test_a_certificate_request_of_an_unknown_version_is_refused() -> None:
    # cryptography raises an error of its own, which is no ValueError.
    honest, authority, agreed = enrolment()
    request = enrolment_pb2.EnrolRequest()
    request.CopyFrom(honest)
    request.csr_pem = with_version(honest.csr_pem, b"\2\1")
    with pytest.raises(InputError, match="PKCS #10"):
        admit(proved(request, agreed), authority, NOW)


def test_a_certificate_of_an_unknown_version_is_refused() -> None:
    _, authority, _ = enrolment()
    spoilt = with_version(authority.certificate.public_bytes(serialization.Encoding.PEM), b"\xa0\3\2\1")
    with pytest.raises(InputError, match="PEM certificate"):
        load_certificate(spoilt, "the authority's certificate")
