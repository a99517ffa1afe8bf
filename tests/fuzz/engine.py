"""The fuzzer itself: atheris, libFuzzer for Python, where it is installed (extra `fuzz`)."""

import importlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MOST_RSS_MIB = 1024
"""Of the fuzzing process, whose code and coverage take a few hundred: more is a finding."""
_MOST_SECONDS_PER_INPUT = 10
_MOST_BYTES = 16384


def fuzz(target: str, seeds: Iterable[bytes], *, seconds: int, findings: Path) -> None:
    """Fuzz until the time is over or something is found; ends the process.

    libFuzzer says on standard error how many inputs it ran, and writes what it found into
    `findings`, to become a line of `tests/fuzz/found.py`.
    """
    atheris = load_atheris()
    with atheris.instrument_imports(include=["edge_daemon", "mcap", "tomllib"]):
        targets = importlib.import_module("tests.fuzz.targets")
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
    for number, seed in enumerate(seeds):
        (corpus / f"{number:05d}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": _MOST_BYTES,
        "rss_limit_mb": MOST_RSS_MIB,
        "timeout": _MOST_SECONDS_PER_INPUT,
        "artifact_prefix": f"{findings}/{target}-",
        "print_final_stats": 1,
    }
    arguments = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], targets.TARGETS[target])
    atheris.Fuzz()


def load_atheris() -> Any:  # noqa: ANN401 - it has no types
    """The fuzzer; it instruments what is imported after it.

    Raises:
        SystemExit: it isn't installed.
    """
    try:
        return importlib.import_module("atheris")
    except ImportError as error:
        raise SystemExit(
            "atheris is not installed: pip install 'edge-daemon[fuzz]' (x86-64 Linux)"
        ) from error
