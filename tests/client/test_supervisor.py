"""The SuperNode's supervisor without a SuperNode: arguments, waits, refusals."""

import socket
from pathlib import Path

import pytest

from headwater.errors import InputError, StorageError
from headwater_client.flower.supervisor import (
    SuperNodeSettings,
    SuperNodeSupervisor,
    free_loopback_port,
    restart_delay,
    supernode_arguments,
)


@pytest.fixture
def settings(tmp_path: Path) -> SuperNodeSettings:
    for name in ("ca.crt", "flower.key"):
        (tmp_path / name).touch()
    return SuperNodeSettings("host:1", tmp_path / "ca.crt", tmp_path / "flower.key", tmp_path / "flower")


def test_the_node_is_isolated_authenticated_and_on_loopback(settings: SuperNodeSettings) -> None:
    arguments = supernode_arguments(settings, 1234, Path("secret"))
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert pairs["--isolation"] == "process"
    assert pairs["--host"] == "127.0.0.1"
    assert pairs["--port"] == "1234"
    assert pairs["--root-certificates"] == str(settings.ca_certificate)
    assert pairs["--auth-supernode-private-key"] == str(settings.private_key)
    assert "--insecure" not in arguments


def test_waits_double_up_to_a_limit() -> None:
    assert [restart_delay(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert restart_delay(10_000_000) == 30


def test_the_secret_is_readable_by_its_owner_alone_and_fresh(settings: SuperNodeSettings) -> None:
    first = SuperNodeSupervisor(settings)
    second = SuperNodeSupervisor(settings)
    file = settings.folder / "runtime.secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes() == second.secret != first.secret
    second.stop()
    assert not file.exists()


def test_a_missing_key_says_to_enrol(settings: SuperNodeSettings) -> None:
    settings.private_key.unlink()
    with pytest.raises(InputError, match="enrol this organisation first"):
        SuperNodeSupervisor(settings)


def test_a_taken_port_is_one_line(settings: SuperNodeSettings, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        taken = SuperNodeSettings(
            settings.superlink, settings.ca_certificate, settings.private_key, settings.folder, port
        )
        with pytest.raises(InputError, match=f"port {port} .* is taken"):
            SuperNodeSupervisor(taken)


def test_a_folder_that_is_a_file_is_a_storage_error(settings: SuperNodeSettings) -> None:
    settings.folder.touch()
    with pytest.raises(StorageError, match="cannot be written"):
        SuperNodeSupervisor(settings)


def test_two_nodes_on_one_machine_get_two_ports(settings: SuperNodeSettings) -> None:
    assert SuperNodeSupervisor(settings).address != SuperNodeSupervisor(settings).address
    assert 0 < free_loopback_port() < 65536
