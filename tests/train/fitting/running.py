"""Runs in processes of their own: to be killed, and to be several."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train.config import RunConfig

SCRIPT = """
import sys
from pathlib import Path
from edge_daemon.simulation.strips import draw_strip
from train.config import load_config
from train.fitting.loop import fit
from train.runs import RunFolder

def report(progress):
    print("step", progress.step, flush=True)
    if len(sys.argv) > 3 and progress.step == int(sys.argv[3]):
        sys.stdin.readline()

config, folder = load_config(Path(sys.argv[1]), []), RunFolder(Path(sys.argv[2]))
fit(config, folder, draw=draw_strip, report=report)
print("ended", flush=True)
"""
ROOT = Path(__file__).parents[3]


@contextmanager
def running(
    config: RunConfig,
    folder: Path,
    *,
    pause_at: int | None = None,
    rank: int = 0,
    of: int = 1,
    port: int = 0,
) -> Iterator[subprocess.Popen[str]]:
    """Start a run in a process, and end that at last.

    Args:
        config: of the run.
        folder: of the run; the configuration is written beside it.
        pause_at: step after which it waits for a line on its standard input.
        rank: of the process.
        of: how many processes the run has.
        port: where they meet, if there are several.
    """
    path = folder.with_name(f"{folder.name}.json")
    path.write_text(json.dumps(config.model_dump(mode="json")))
    arguments = [sys.executable, "-c", SCRIPT, str(path), str(folder)]
    if pause_at is not None:
        arguments.append(str(pause_at))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(of),
    }
    process = subprocess.Popen(
        arguments, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Read a process's output until a line comes."""
    assert process.stdout is not None
    for one in process.stdout:
        if one.strip() == line:
            return
    raise AssertionError(f"the process ended without saying {line!r}")


def say(process: subprocess.Popen[str]) -> None:
    """Let a process that pauses go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
