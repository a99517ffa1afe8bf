import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_daemon.cli.app import app
from tests.conftest import free_port
from tests.edge_daemon.conftest import DaemonProcess, edge_daemon

CONTRACT = {"run", "replay", "camera", "record", "simulate", "check", "compile", "bench", "watch"}
VERBS = CONTRACT | {"keys", "recover"}
HEAVY = {"torch", "onnxruntime", "cv2", "numpy", "zmq", "paho", "mcap", "sqlite3", "asyncio"}
# Prints which of the heavy modules each `--help` has loaded, as JSON.
HELP = f"""
import contextlib, io, json, sys
from edge_daemon.cli import main
for verb in {sorted(VERBS)!r}:
    sys.argv = ["edge-daemon", verb, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()
print(json.dumps(sorted({HEAVY!r} & set(sys.modules))))
"""


def listed() -> list[str]:
    said = CliRunner().invoke(app, ["--help"])
    return re.findall(r"^  ([a-z]+) ", said.output, re.MULTILINE)


@pytest.mark.parametrize("verb", listed())
def test_every_verb_explains_itself(verb: str) -> None:
    said = CliRunner().invoke(app, [verb, "--help"])
    assert said.exit_code == 0
    assert said.output.startswith(f"Usage: edge-daemon {verb} ")
    options = re.findall(r"^  (--[a-z-]+)(.*)$", said.output, re.MULTILINE)
    assert options
    assert all(explanation.strip() for _, explanation in options)


def test_every_verb_of_the_contract_is_there_and_no_other_but_keys_and_recover() -> None:
    assert set(listed()) == VERBS


def test_help_loads_nothing_that_is_slow_to_load() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, text=True, check=True, timeout=50
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Usage: edge-daemon"),
        (["inspect"], "No such command 'inspect'"),
        (["run", "--fast"], "No such option: --fast"),
        (["replay"], "Missing argument 'SOURCE"),
        (["replay", ".", "--speed", "0"], "a number above 0, or max"),
        (["replay", ".", "--speed", "fast"], "a number above 0, or max"),
        (["camera", "."], "Missing option '--connect'"),
        (["record", "--bind", "tcp://127.0.0.1:*"], "Missing option '--out'"),
        (["simulate", "--out", "x.mcap", "--codec", "gif"], "'gif': one of raw, jpeg, png"),
        (["simulate", "--out", "x.mcap", "--coils", "0"], "--coils"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(arguments: list[str], complaint: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert complaint in done.output


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Write a configuration whose broker isn't there."""
    return DaemonProcess(tmp_path, mqtt_url=f"mqtt://127.0.0.1:{free_port()}").config


def test_check_shows_every_finding_and_which_is_a_fault(faulty: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--config", str(faulty)])
    assert done.exit_code == 1
    lines = [line.split(maxsplit=2)[:2] for line in done.output.splitlines()]
    subjects = ["configuration:", "bundle:", "state:", "cameras:", "http:"]
    assert lines == [*(["ok", subject] for subject in subjects), ["FAULT", "broker:"]]


def test_check_gives_scripts_the_same_as_json(faulty: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--config", str(faulty), "--json"])
    assert done.exit_code == 1
    findings = json.loads(done.output)
    assert [set(finding) for finding in findings] == [{"subject", "ok", "detail"}] * 6
    assert [finding["subject"] for finding in findings if not finding["ok"]] == ["broker"]


def test_check_without_a_fault_is_0(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--config", str(DaemonProcess(tmp_path).config)])
    assert done.exit_code == 0


def test_check_of_a_configuration_that_cannot_be_read_is_78(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "none.toml")])
    assert done.exit_code == 78
    assert "FAULT configuration: " in done.output
    assert "none.toml: can't be read" in done.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; tests/booted has it too")
@pytest.mark.parametrize("verb", [["run"], ["check"], ["keys", "list"]])
def test_a_file_that_may_not_be_read_is_78_too(verb: list[str], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    file.chmod(0)
    done = edge_daemon(*verb, "--config", file)
    assert done.returncode == 78
    assert "Permission denied; chmod 0644 or chgrp edge-daemon" in done.stdout + done.stderr


def test_an_error_of_ours_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    done = edge_daemon("replay", tmp_path / "nowhere")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line == (
        f"edge-daemon: {tmp_path}/nowhere doesn't exist: name a folder of images, an image or a "
        "recording"
    )


def test_a_wrong_configuration_is_78_for_every_verb_that_reads_one(tmp_path: Path) -> None:
    done = edge_daemon("replay", tmp_path, EDGE_DAEMON_HTTP_BIND="here")
    assert done.returncode == 78
    assert done.stderr.startswith("edge-daemon: environment EDGE_DAEMON_HTTP_BIND: http.bind: ")
