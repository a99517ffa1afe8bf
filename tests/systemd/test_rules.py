import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_daemon.telemetry.evidence import EvidenceMetrics
from edge_daemon.telemetry.metrics import Metrics

FOLDER = Path(__file__).parents[2] / "systemd"
RULES = FOLDER / "prometheus-rules.yml"
TESTS = FOLDER / "prometheus-rules.test.yml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(verb: str, path: Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL
    command = [PROMTOOL, verb, "rules", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_promtool
def test_the_rules_are_well_formed() -> None:
    verdict = promtool("check", RULES)
    assert verdict.returncode == 0, verdict.stderr


@needs_promtool
def test_the_rules_fire_when_they_should_and_only_then() -> None:
    verdict = promtool("test", TESTS)
    assert verdict.returncode == 0, verdict.stderr + verdict.stdout


@needs_promtool
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('up{job="edge-daemon"} == 0 or ', ""),
        (' or absent(up{job="edge-daemon"})', ""),
        ("edge_daemon_ready == 0\n        for: 2m", "edge_daemon_ready == 0\n        for: 10s"),
        ("offset 5m", "offset 10s"),
        ("increase(edge_daemon_lines_not_inspected_total[5m]) > 0", "vector(0) > 0"),
        ("(edge_daemon_last_frame_timestamp_seconds > 0) > 60", "(0 > 0) > 60"),
        (
            "(edge_daemon_last_frame_timestamp_seconds > 0)",
            "edge_daemon_last_frame_timestamp_seconds",
        ),
        ("edge_daemon_last_frame_timestamp_seconds == 0\n", "(0 > 0)\n"),
        ("timestamp_seconds offset 1m == 0", "timestamp_seconds == 0"),
        ("(edge_daemon_outbox_oldest_timestamp_seconds > 0) > 60", "vector(0) > 6000"),
        ("edge_daemon_outbox_dead > 0", "edge_daemon_outbox_dead > 5"),
        ("increase(edge_daemon_alerts_unrouted_total[15m])", "edge_daemon_alerts_unrouted_total"),
        ("edge_daemon_outbox_shed > 0", "edge_daemon_outbox_shed > 5"),
        ("reload_success == 0\n        for: 1m", "reload_success == 0"),
        (
            "increase(edge_daemon_handshake_failures_total[15m])",
            "(edge_daemon_handshake_failures_total)",
        ),
        (
            "edge_daemon_evidence_working == 0\n        for: 5m",
            "edge_daemon_evidence_working == 0\n        for: 1h",
        ),
        ("edge_daemon_mqtt_connected == 0\n        for: 2m", "edge_daemon_mqtt_connected == 0"),
    ],
)
def test_a_rule_made_wrong_is_found_out(tmp_path: Path, right: str, wrong: str) -> None:
    text = RULES.read_text()
    assert right in text
    (tmp_path / RULES.name).write_text(text.replace(right, wrong))
    shutil.copy(TESTS, tmp_path)
    assert promtool("test", tmp_path / TESTS.name).returncode != 0


def test_the_rules_use_only_metrics_that_are_exported() -> None:
    registry = Metrics().registry
    EvidenceMetrics(registry)
    exported = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in registry.collect()
    }
    assert set(re.findall(r"\bedge_daemon_\w+", RULES.read_text())) <= exported


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    tested = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", TESTS.read_text())
    assert sorted(alerts) == sorted(set(tested))
