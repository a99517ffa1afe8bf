"""What docs/service.md tells the reader to write."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from edge_daemon.settings import HttpSection, MqttSection, Section
from tests.authority import Authority, needs_openssl

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "service.md").read_text()
PROMTOOL = shutil.which("promtool")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@needs_openssl
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_prometheus_accepts_every_scrape_configuration(tmp_path: Path) -> None:
    assert PROMTOOL
    authority = Authority(tmp_path / "plant")
    (tmp_path / "edge-daemon-token").write_text("x" * 20)
    shutil.copy(authority.certificate, tmp_path / "plant-ca.pem")
    rules = REPOSITORY / "systemd" / "prometheus-rules.yml"
    shutil.copy(rules, tmp_path / "edge-daemon-rules.yml")
    assert len(blocks("yaml")) == 2
    for number, text in enumerate(blocks("yaml")):
        path = tmp_path / f"prometheus-{number}.yml"
        path.write_text(text.replace("/etc/prometheus", str(tmp_path)))
        command = [PROMTOOL, "check", "config", str(path)]
        verdict = subprocess.run(command, capture_output=True, text=True, check=False)
        assert verdict.returncode == 0, verdict.stderr


def test_every_piece_of_configuration_is_accepted() -> None:
    sections: dict[str, type[Section]] = {"mqtt": MqttSection, "http": HttpSection}
    for text in blocks("toml"):
        for name, content in tomllib.loads(text).items():
            sections[name].model_validate(content)


def test_every_line_for_the_unit_stands_in_the_unit() -> None:
    unit = (REPOSITORY / "systemd" / "edge-daemon.service").read_text()
    for text in blocks("ini"):
        for line in text.splitlines()[1:]:
            assert f"\n#{line}\n" in unit
    named = re.findall(r"^\| `([a-z-]+)` \|.*(EDGE_DAEMON_[A-Z_]+)", PAGE, re.MULTILINE)
    assert len(named) == 5
    for credential, variable in named:
        assert f"#LoadCredential={credential}:/etc/edge-daemon/{credential}\n" in unit
        assert f"#Environment={variable}=%d/{credential}\n" in unit


def test_every_script_and_test_that_is_named_is_there() -> None:
    for path in re.findall(r"(?:systemd|tests|docker)/[\w/.@-]+\.\w+", PAGE):
        assert (REPOSITORY / path).exists(), path
