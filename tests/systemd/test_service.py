import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_daemon.config import DEFAULT_PATH, load_config
from edge_daemon.errors import EXIT_CONFIGURATION, ConfigurationError

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "edge-daemon.service"
TEMPLATE = FOLDER / "edge-daemon@.service"
UNITS = [UNIT.name, TEMPLATE.name]
DRAIN_S = 10
ANALYZE = shutil.which("systemd-analyze")
SYSUSERS = shutil.which("systemd-sysusers")
TMPFILES = shutil.which("systemd-tmpfiles")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
needs_sysusers = pytest.mark.skipif(SYSUSERS is None, reason="systemd-sysusers is not installed")

needs_tmpfiles = pytest.mark.skipif(
    TMPFILES is None or SYSUSERS is None or os.geteuid() != 0,
    reason="gives files to other users: needs systemd-tmpfiles, systemd-sysusers and root",
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("verify", "--man=no", "--recursive-errors=no", str(unit))


def security(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))


def installed(folder: Path, text: str, name: str = UNIT.name) -> Path:
    """Write the unit as it would be with a program in its place."""
    unit = folder / name
    unit.write_text(text.replace("/opt/edge-daemon/bin/edge-daemon", sys.executable))
    return unit


def setting(section: str, key: str) -> str:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys keep their case
    parser.read_string(UNIT.read_text())
    return parser[section][key]


@needs_analyze
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, name: str) -> None:
    verdict = verify(installed(tmp_path, (FOLDER / name).read_text(), name))
    assert (verdict.returncode, verdict.stderr) == (0, "")


@needs_analyze
def test_systemd_bites_on_a_misspelt_key(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("WatchdogSec=", "WatchdogSecs=")
    verdict = verify(installed(tmp_path, text))
    assert verdict.returncode != 0
    assert "Unknown key" in verdict.stderr


@needs_analyze
@pytest.mark.parametrize("name", UNITS)
def test_the_unit_as_shipped_is_exposed_no_more_than_2_of_10(name: str) -> None:
    verdict = security(FOLDER / name)
    assert verdict.returncode == 0, verdict.stdout


@needs_analyze
@pytest.mark.parametrize("lost", ["CapabilityBoundingSet=\n", "PrivateUsers=yes\n"])
def test_a_protection_that_is_lost_is_seen_in_the_figure(tmp_path: Path, lost: str) -> None:
    def exposure(text: str) -> float:
        verdict = security(installed(tmp_path, text)).stdout
        return float(re.findall(r"exposure level for .*: ([0-9.]+)", verdict)[0])

    assert exposure(UNIT.read_text().replace(lost, "")) > exposure(UNIT.read_text())


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


def test_the_unit_for_several_lines_is_the_one_that_the_script_makes() -> None:
    made = subprocess.run(
        [FOLDER / "template.sh"], input=UNIT.read_text(), capture_output=True, text=True, check=True
    )
    assert made.stdout == TEMPLATE.read_text()


def keys(unit: Path) -> list[tuple[str, str]]:
    lines = unit.read_text().splitlines()
    pairs = [line.partition("=") for line in lines if re.match(r"#?[A-Z]\w*=", line)]
    return [(key, value) for key, _, value in pairs]


def test_lines_on_one_computer_differ_in_name_and_places_alone() -> None:
    differing = {
        one[0] for one, other in zip(keys(UNIT), keys(TEMPLATE), strict=True) if one != other
    }
    assert differing == {
        "Description",
        "ExecStart",
        "StateDirectory",
        "RuntimeDirectory",
        "WorkingDirectory",
        "#LoadCredential",
    }
    places = [value for key, value in keys(TEMPLATE) if key in differing]
    assert all("%i" in place for place in places)


def test_a_reload_is_a_signal_that_the_daemon_follows() -> None:
    assert setting("Service", "ExecReload") == "/bin/kill -HUP $MAINPID"


@needs_analyze
@pytest.mark.parametrize("name", UNITS)
def test_every_credential_can_be_put_in_force(tmp_path: Path, name: str) -> None:
    text = re.sub(
        r"^#(?=(LoadCredential|Environment)=)", "", (FOLDER / name).read_text(), flags=re.MULTILINE
    )
    assert text.count("\nLoadCredential=") == 5
    verdict = verify(installed(tmp_path, text, name))
    assert (verdict.returncode, verdict.stderr) == (0, "")


@pytest.mark.parametrize("unit", [UNIT, TEMPLATE])
def test_what_a_credential_is_called_is_what_the_configuration_is_told(
    tmp_path: Path, unit: Path
) -> None:
    """What systemd does with these lines, done by hand: no systemd runs as process 1 here."""
    loaded = dict(re.findall(r"^#LoadCredential=([a-z-]+):(\S+)$", unit.read_text(), re.MULTILINE))
    environ = dict(re.findall(r"^#Environment=(\w+)=(\S+)$", unit.read_text(), re.MULTILINE))
    assert [Path(path).name for path in loaded.values()] == list(loaded)
    environ = {key: path.replace("%d", str(tmp_path)) for key, path in environ.items()}
    path = tmp_path / "config.toml"
    certificate = 'certificate_file = "x.pem"\n'
    camera = '[[camera]]\nid = "a"\nmm_per_px_along = 1.0\nmm_per_px_across = 1.0\n'
    path.write_text(
        f'[mqtt]\nurl = "mqtts://line@broker"\n{certificate}[http]\n{certificate}{camera}'
        f'public_key = "{"a" * 40}"\n'
    )
    config = load_config(path, environ)
    told = {
        config.mqtt.password_file,
        config.mqtt.key_file,
        config.ingest.secret_key_file,
        config.http.key_file,
        config.http.token_file,
    }
    assert told == {tmp_path / name for name in loaded}


@needs_tmpfiles
def test_folders_and_the_modes_of_secrets_are_put_right(tmp_path: Path) -> None:
    assert TMPFILES
    assert SYSUSERS
    (tmp_path / "etc" / "edge-daemon" / "line-1").mkdir(parents=True)
    secrets = [
        tmp_path / "etc/edge-daemon/mqtt-password",
        tmp_path / "etc/edge-daemon/line-1/http-key",
    ]
    for secret in secrets:
        secret.write_text("geheim")
        secret.chmod(0o644)
    subprocess.run([SYSUSERS, f"--root={tmp_path}", str(FOLDER / "sysusers.conf")], check=True)
    command = [TMPFILES, "--create", f"--root={tmp_path}", str(FOLDER / "tmpfiles.conf")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    modes = {path: path.stat().st_mode & 0o777 for path in secrets}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "var/lib/edge-daemon").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/edge-daemon").stat().st_mode & 0o777 == 0o755
