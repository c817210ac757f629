"""What the listener's TLS takes, and what it does not, by real handshakes."""

import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from headwater.errors import InputError
from headwater_server.https import tls_context
from support.authority import write_authority
from support.catalogue_server import serve_https
from support.raw_https import connect


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("authority")
    ca = write_authority(folder)
    with serve_https(PlainTextResponse("hello"), folder) as url:
        yield url, ca


def _client(ca: Path, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
    """A client of one version that would take anything."""
    context = ssl.create_default_context(cafile=str(ca))
    with warnings.catch_warnings():
        # Old versions are what is asked for here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_use_forward_secrecy_and_authenticated_encryption(
    served: tuple[str, Path], version: ssl.TLSVersion
) -> None:
    url, ca = served
    with connect(url, ca, _client(ca, version)) as line:
        name, _, bits = line.cipher() or ("", "", 0)
        assert "GCM" in name or "CHACHA20" in name
        assert bits >= 128
        assert line.compression() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(served: tuple[str, Path], version: ssl.TLSVersion) -> None:
    url, ca = served
    with pytest.raises(ssl.SSLError, match=r"EOF|alert"):
        connect(url, ca, _client(ca, version))


@pytest.mark.parametrize(
    "ciphers",
    ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM8", "AES128-GCM-SHA256", "aNULL",
     "DHE-RSA-AES256-GCM-SHA384", "NULL"],
)  # fmt: skip
def test_weak_ciphers_are_refused(served: tuple[str, Path], ciphers: str) -> None:
    url, ca = served
    with pytest.raises(ssl.SSLError, match=r"EOF|alert"):
        connect(url, ca, _client(ca, ssl.TLSVersion.TLSv1_2, f"{ciphers}:@SECLEVEL=0"))


def test_http_1_1_is_agreed_on(served: tuple[str, Path]) -> None:
    url, ca = served
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(url, ca, context) as line:
        assert line.selected_alpn_protocol() == "http/1.1"


def test_a_client_cannot_renegotiate(served: tuple[str, Path]) -> None:
    url, ca = served
    done = subprocess.run(
        ["openssl", "s_client", "-connect", url.removeprefix("https://"), "-CAfile", str(ca), "-tls1_2"],
        input=b"R\n", capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert b"Secure Renegotiation IS supported" in told
    assert b"no renegotiation" in told.lower()


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_authority(tmp_path / name)
    with pytest.raises(InputError, match="belong together"):
        tls_context(tmp_path / "one" / "server.crt", tmp_path / "two" / "server.key")
    with pytest.raises(InputError, match="must be readable"):
        tls_context(tmp_path / "server.crt", tmp_path / "server.key")
