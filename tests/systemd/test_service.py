import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_daemon.config import DEFAULT_PATH, load_config
from edge_daemon.errors import EXIT_CONFIGURATION, ConfigurationError

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "edge-daemon.service"
DRAIN_S = 10
ANALYZE = shutil.which("systemd-analyze")
SYSUSERS = shutil.which("systemd-sysusers")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
needs_sysusers = pytest.mark.skipif(SYSUSERS is None, reason="systemd-sysusers is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("verify", "--man=no", "--recursive-errors=no", str(unit))


def security(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))


def installed(folder: Path, text: str) -> Path:
    """Write the unit as it would be with a program in its place."""
    unit = folder / "edge-daemon.service"
    unit.write_text(text.replace("/opt/edge-daemon/bin/edge-daemon", sys.executable))
    return unit


def setting(section: str, key: str) -> str:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys keep their case
    parser.read_string(UNIT.read_text())
    return parser[section][key]


@needs_analyze
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    verdict = verify(installed(tmp_path, UNIT.read_text()))
    assert (verdict.returncode, verdict.stderr) == (0, "")


@needs_analyze
def test_systemd_bites_on_a_misspelt_key(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("WatchdogSec=", "WatchdogSecs=")
    verdict = verify(installed(tmp_path, text))
    assert verdict.returncode != 0
    assert "Unknown key" in verdict.stderr


@needs_analyze
def test_the_unit_is_exposed_no_more_than_2_of_10(tmp_path: Path) -> None:
    verdict = security(installed(tmp_path, UNIT.read_text()))
    assert verdict.returncode == 0, verdict.stdout


@needs_analyze
def test_a_bare_unit_fails_the_same_limit(tmp_path: Path) -> None:
    text = "[Service]\nExecStart=/opt/edge-daemon/bin/edge-daemon run\n"
    assert security(installed(tmp_path, text)).returncode != 0


def test_a_wrong_configuration_is_not_tried_again() -> None:
    assert setting("Service", "RestartPreventExitStatus") == str(EXIT_CONFIGURATION)


def test_every_other_end_is_followed_by_a_restart_without_limit() -> None:
    assert setting("Service", "Restart") == "always"
    assert setting("Unit", "StartLimitIntervalSec") == "0"


def test_the_daemon_has_time_to_drain_before_it_is_killed() -> None:
    assert int(setting("Service", "TimeoutStopSec")) > DRAIN_S


def test_the_unit_names_the_file_that_is_the_default() -> None:
    assert setting("Service", "ExecStart").endswith(f" run --config {DEFAULT_PATH}")


def test_a_named_configuration_that_is_lost_is_an_error_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_config(tmp_path / "config.toml", {})


@needs_sysusers
def test_the_system_user_is_created_with_its_home_and_the_group_of_the_gpu(
    tmp_path: Path,
) -> None:
    assert SYSUSERS
    (tmp_path / "etc").mkdir()
    command = [SYSUSERS, f"--root={tmp_path}", str(FOLDER / "sysusers.conf")]
    subprocess.run(command, check=True, capture_output=True)
    users = (tmp_path / "etc" / "passwd").read_text()
    groups = (tmp_path / "etc" / "group").read_text().splitlines()
    assert users.startswith("edge-daemon:")
    assert ":/var/lib/edge-daemon:" in users
    assert {g.partition(":")[0] for g in groups if g.endswith(":edge-daemon")} == {
        "video",
        "render",
    }
