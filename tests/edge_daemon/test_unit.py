"""What `systemctl show` and `systemctl cat` of systemd 252 say, read; the rest is tests/booted."""

import getpass
from pathlib import Path

import pytest

from edge_daemon.errors import ConfigurationError, UnitError
from edge_daemon.unit import Unit, credentials_in, examine, read_properties

SHOWN = """\
ExecStart={{ path=/opt/e ; argv[]=/opt/e run --config {config} ; ignore_errors=no ; pid=0 }}
Environment=PYTHONFAULTHANDLER=1 {variables} "A=b c" "B=d\\"e"
WorkingDirectory=/var/lib/edge-daemon/line-1
User={user}
LoadCredential=[unprintable]
ReadWritePaths=-/srv/a /srv/b
ProtectSystem=strict
RuntimeDirectory=edge-daemon-line-1
StateDirectory=edge-daemon/line-1
CacheDirectory=edge-daemon
LogsDirectory=
Id=edge-daemon@line-1.service
LoadState=loaded
"""
COPY = "/run/credentials/edge-daemon@line-1.service/mqtt-password"
FILES = """\
[Service]
LoadCredential=old:/gone
LoadCredential=
LoadCredential=mqtt-password:/etc/edge-daemon/%i/mqtt-password
#LoadCredential=http-key:/etc/edge-daemon/%i/http-key
LoadCredential = curve-key:%E/edge-daemon/100%%
"""


def unit(config: Path = Path("/none"), variables: str = "C=1") -> Unit:
    text = SHOWN.format(config=config, variables=variables, user=getpass.getuser())
    return Unit.of(read_properties(text), FILES)


def test_folders_and_variables_are_those_that_systemd_gives() -> None:
    found = unit()
    assert found.config_file == Path("/none")
    assert found.environ["STATE_DIRECTORY"] == "/var/lib/edge-daemon/line-1"
    assert found.environ["CACHE_DIRECTORY"] == "/var/cache/edge-daemon"
    assert found.environ["A"] == "b c"
    assert found.environ["B"] == 'd"e'
    assert "LOGS_DIRECTORY" not in found.environ


def test_a_credential_is_known_by_its_source_and_an_empty_line_forgets() -> None:
    assert credentials_in(FILES, "edge-daemon@line-1.service") == {
        "mqtt-password": Path("/etc/edge-daemon/line-1/mqtt-password"),
        "curve-key": Path("/etc/edge-daemon/100%"),
    }


def test_the_copy_of_a_credential_is_replaced_by_its_source_wherever_it_is_named(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[http]\ntoken_file = "{COPY}"\n[mqtt]\nca_file = "/etc/ca.pem"\n')
    loaded = unit(config, f"EDGE_DAEMON_MQTT_PASSWORD_FILE={COPY}").load(None)
    source = Path("/etc/edge-daemon/line-1/mqtt-password")
    assert loaded.mqtt.password_file == loaded.http.token_file == source
    assert loaded.mqtt.ca_file == Path("/etc/ca.pem")


def test_the_configuration_of_the_unit_s_command_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml: can't be read"):
        unit(tmp_path / "none.toml").load(None)


def test_what_the_unit_keeps_the_daemon_from_writing_is_known() -> None:
    found = unit()
    assert found.may_write_below(Path("/var/lib/edge-daemon/line-1/evidence"))
    assert found.may_write_below(Path("/srv/b/evidence"))
    assert not found.may_write_below(Path("/var/lib/edge-daemon/evidence"))


def test_without_systemctl_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnitError, match="no systemctl here"):
        examine("edge-daemon")
