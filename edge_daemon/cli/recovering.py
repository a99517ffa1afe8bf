"""`recover` on a terminal: what was saved of a recording, and where it was broken."""

import json
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from edge_daemon.core.envelope import iso_utc
from edge_daemon.recordings.recovery import Recovery, recover, recovered_path

_LINES: Final = 20


def recover_and_print(path: Path, out: Path | None, *, overwrite: bool, as_json: bool) -> None:
    """Recover a recording, then say what is in the new one and what was wrong with the old one."""
    console = Console(stderr=True)
    with console.status(f"reading {path.name}") as status:

        def show(recovery: Recovery) -> None:
            status.update(f"reading {path.name}: {recovery.frames} frames")

        recovery = recover(path, out or recovered_path(path), overwrite=overwrite, progress=show)
    if as_json:
        sys.stdout.write(json.dumps(_to_json(recovery), indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _to_lines(path, recovery)))


def _to_lines(path: Path, recovery: Recovery) -> list[str]:
    lines = [f"{recovery.out}: {recovery.frames} frames{_span(recovery)}"]
    stretches = recovery.losses.stretches
    if not stretches:
        return [*lines, f"nothing is wrong with {path.name}"]
    lines += [
        f"damaged, bytes {loss.from_byte} to {loss.to_byte}: {loss.why}"
        for loss in stretches[:_LINES]
    ]
    more = recovery.losses.count - _LINES
    return [*lines, f"and {more} more places"] if more > 0 else lines


def _span(recovery: Recovery) -> str:
    if recovery.first_ns is None or recovery.last_ns is None:
        return ""
    seconds = (recovery.last_ns - recovery.first_ns) / 1e9
    first, last = iso_utc(recovery.first_ns), iso_utc(recovery.last_ns)
    return f" from {first} to {last} ({seconds:.3f} s)"


def _to_json(recovery: Recovery) -> dict[str, object]:
    first_ns, last_ns = recovery.first_ns, recovery.last_ns
    return {
        "out": str(recovery.out),
        "frames": recovery.frames,
        "from": None if first_ns is None else iso_utc(first_ns),
        "to": None if last_ns is None else iso_utc(last_ns),
        "damaged_places": recovery.losses.count,
        "damaged": [
            {"from_byte": loss.from_byte, "to_byte": loss.to_byte, "why": loss.why}
            for loss in recovery.losses.stretches
        ],
    }
