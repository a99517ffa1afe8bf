import subprocess
import sys
from pathlib import Path

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.telemetry.health import Health
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.probe import is_live
from edge_daemon.telemetry.web import WebServer
from tests.authority import Authority, needs_openssl
from tests.conftest import free_port


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(clock)


def test_a_daemon_lives_until_a_worker_stands_still(
    used_metrics: Metrics, health: Health, clock: ManualClock
) -> None:
    health.worker("receiver", 5.0)
    with WebServer("127.0.0.1:0", used_metrics, health=health) as server:
        assert is_live(server.address)
        clock.advance(6 * 10**9)
        assert not is_live(server.address)


def test_where_nobody_answers_nobody_lives() -> None:
    assert not is_live(f"127.0.0.1:{free_port()}")


@needs_openssl
def test_a_daemon_behind_tls_and_a_token_is_found_alive_too(
    tmp_path: Path, used_metrics: Metrics, health: Health
) -> None:
    pair = Authority(tmp_path / "plant").issue("daemon", host="DNS:elsewhere")
    token = tmp_path / "token"
    token.write_text("x" * 20)
    with WebServer(
        "127.0.0.1:0",
        used_metrics,
        health=health,
        certificate_file=pair.certificate,
        key_file=pair.key,
        token_file=token,
    ) as server:
        assert is_live(server.address)


def test_the_exit_code_is_what_a_health_check_goes_by() -> None:
    command = [sys.executable, "-m", "edge_daemon.telemetry.probe", f"127.0.0.1:{free_port()}"]
    assert subprocess.run(command, check=False).returncode == 1
