"""Flower's private names and forms that this code stands on; a new Flower that changes one fails here first."""

import inspect
from hashlib import sha256

import pytest
from flwr.cli.build import build_fab_from_disk
from flwr.common.constant import FAB_DATE, ErrorCode, SubStatus
from flwr.proto.runtime_pb2 import AcquireTaskRequest, AcquireTaskResponse, SendTaskHeartbeatResponse
from flwr.supercore import telemetry
from flwr.supercore.app_utils import start_parent_process_monitor
from flwr.supercore.heartbeat import HeartbeatSender
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.cli.flower_supernode import flower_supernode
from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

from headwater.errors import InputError
from headwater.flower_bundle import build_bundle, bundle_sha256, stub_folder
from headwater_client.flower import private
from headwater_client.flower.private import check_flower_version


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_our_bundle_is_the_one_that_flower_builds_from_the_stub() -> None:
    built = build_fab_from_disk(stub_folder())
    assert build_bundle() == built
    assert bundle_sha256() == sha256(built).hexdigest()
    assert FAB_DATE == (2024, 10, 1, 0, 0, 0)


def test_the_bundle_holds_no_code() -> None:
    assert [file.name for file in stub_folder().iterdir()] == ["pyproject.toml"]


def test_the_bundle_names_the_installed_apps() -> None:
    text = (stub_folder() / "pyproject.toml").read_text()
    assert 'serverapp = "headwater_server.app:app"' in text
    assert 'clientapp = "headwater_client.app:app"' in text


def test_the_runtime_client_has_the_calls_that_the_executor_makes() -> None:
    assert {"AcquireTask", "SendTaskHeartbeat", "close"} <= set(dir(RuntimeHttpClient))
    connect = inspect.signature(RuntimeHttpClient.from_server_address).parameters
    assert {"server_address", "insecure", "root_certificates", "interceptors"} <= set(connect)
    assert AcquireTaskRequest(supported_task_types=["flwr-clientapp"]).supported_task_types == ["flwr-clientapp"]
    assert not AcquireTaskResponse().HasField("task")
    assert not SendTaskHeartbeatResponse().success


def test_task_functions_take_what_the_executor_gives() -> None:
    assert list(inspect.signature(pull_task_input).parameters) == ["client"]
    assert list(inspect.signature(push_message).parameters) == ["client", "message", "context"]
    assert list(inspect.signature(push_task_output).parameters) == ["client", "context", "sub_status", "details"]
    assert list(inspect.signature(HeartbeatSender).parameters) == ["heartbeat_fn"]
    assert list(inspect.signature(start_parent_process_monitor).parameters) == ["parent_pid"]
    assert not inspect.signature(flower_supernode).parameters
    assert (ErrorCode.INVALID_FAB, SubStatus.FAILED, SubStatus.COMPLETED) == (7, "failed", "completed")


def test_flower_reports_to_nobody() -> None:
    assert telemetry.FLWR_TELEMETRY_ENABLED == "0"


def test_the_installed_version_is_supported() -> None:
    check_flower_version()


@pytest.mark.parametrize("other", ["1.40.0", "1.42.0", "2.41.0", "1.410.0"])
def test_another_version_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setattr(private, "version", lambda name: other)
    with pytest.raises(InputError, match=r"1\.41\.x is needed"):
        check_flower_version()
