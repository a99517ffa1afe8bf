"""`python -m tests.fuzz TARGET --seconds N`: look for bytes that break what must not break.

    python -m tests.fuzz header --seconds 300
    python -m tests.fuzz all --seconds 60

Each target runs in a process of its own, at a low priority. What is found is written to a folder
and belongs into `tests/fuzz/found.py`, so that `make test` runs it for ever.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.engine import fuzz, load_atheris
from tests.fuzz.seeds import SEEDS

_NICE = 10


def main() -> int:
    """Fuzz one target here, or all of them one after the other; 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=[*SEEDS, "all"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.findings.mkdir(parents=True, exist_ok=True)
    if arguments.child:
        os.nice(_NICE)
        seeds = list(SEEDS[arguments.target]())
        _forget_what_is_to_be_instrumented()
        fuzz(arguments.target, seeds, seconds=arguments.seconds, findings=arguments.findings)
    load_atheris()
    targets = SEEDS if arguments.target == "all" else [arguments.target]
    return max(_run(target, arguments.seconds, arguments.findings) for target in targets)


def _run(target: str, seconds: int, findings: Path) -> int:
    """Fuzz a target in a child, say how it went; its exit code."""
    command = [sys.executable, "-m", "tests.fuzz", target, "--child"]
    command += ["--seconds", str(seconds), "--findings", str(findings)]
    child = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    runs = re.findall(r"stat::number_of_executed_units: (\d+)|^#(\d+)", child.stderr, re.MULTILINE)
    count = int(next(filter(None, reversed([one or other for one, other in runs])), "0"))
    found = re.findall(r"Test unit written to (\S+)", child.stderr)
    verdict = f"found: {', '.join(found)}" if child.returncode else "nothing found"
    sys.stdout.write(f"{target}: {count} inputs, {verdict}\n")
    sys.stdout.flush()
    if child.returncode:
        sys.stderr.write(child.stderr[-4000:])
    return child.returncode


def _forget_what_is_to_be_instrumented() -> None:
    """The seeds are made by the code under test, which is imported once more to be followed."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("edge_daemon", "mcap")]:
        del sys.modules[name]


if __name__ == "__main__":
    sys.exit(main())
