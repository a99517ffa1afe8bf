"""`camera`, `record` and `simulate` on a terminal: progress, signals, a last line with the sums."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress

from edge_daemon.camera import PlaySettings, PlaySummary, play
from edge_daemon.clock import SystemClock
from edge_daemon.core.wire import Codec
from edge_daemon.ingest.keys import Keyring
from edge_daemon.recorder import RecordSummary, record
from edge_daemon.recordings.simulated import (
    SimulatedSummary,
    SimulationSettings,
    count_simulated,
    write_simulated,
)
from edge_daemon.signals import stop_on_signals
from edge_daemon.simulation.line import SyntheticLine

SMALLEST_ROLL_MM = 50.0


def play_and_print(sources: Sequence[Path], address: str, settings: PlaySettings) -> None:
    """Play until the end or a signal, then say what became of the frames."""
    console = Console(stderr=True)
    with stop_on_signals() as stop, console.status("playing") as status:

        def show(summary: PlaySummary) -> None:
            status.update(f"playing: {summary.sent} sent, {summary.dropped} dropped")

        summary = play(
            sources, address, settings=settings, stop=stop, clock=SystemClock(), progress=show
        )
    sys.stdout.write(
        f"{summary.sent} frames sent, {summary.dropped} dropped, {summary.unreadable} unreadable\n"
    )


def record_and_print(
    bind: str,
    out: Path,
    *,
    max_frames: int | None,
    max_seconds: float | None,
    overwrite: bool,
    keyring: Keyring | None = None,
) -> None:
    """Record until told to stop, then say what was kept."""
    console = Console(stderr=True)
    with stop_on_signals() as stop, console.status(f"recording {bind}") as status:

        def show(summary: RecordSummary) -> None:
            status.update(f"recording {bind}: {summary.frames} frames")

        summary = record(
            bind,
            out,
            stop=stop,
            clock=SystemClock(),
            max_frames=max_frames,
            max_seconds=max_seconds,
            overwrite=overwrite,
            keyring=keyring,
            progress=show,
        )
    sys.stdout.write(
        f"{summary.frames} frames, {summary.payload_bytes} bytes in {out}, "
        f"{summary.refused} too large to keep\n"
    )


def simulation_settings(
    *,
    coils: int,
    coil_length_m: float,
    seed: int,
    defects_per_m: float,
    roll_mark_pitch_mm: float,
    mm_per_px: float,
    speed_m_per_s: float,
    codec: str,
    camera: str,
) -> SimulationSettings:
    """Settings from the command line.

    Raises:
        typer.BadParameter: an unknown codec, a roll that is no roll.
    """
    if 0 < roll_mark_pitch_mm < SMALLEST_ROLL_MM:
        raise typer.BadParameter(
            f"{roll_mark_pitch_mm}: 0 for none, or {SMALLEST_ROLL_MM:g} and more",
            param_hint="--roll-mark-pitch-mm",
        )
    try:
        packed = Codec(codec)
    except ValueError as error:
        known = ", ".join(each.value for each in Codec)
        raise typer.BadParameter(f"{codec!r}: one of {known}", param_hint="--codec") from error
    line = SyntheticLine(
        seed=seed,
        coils=coils,
        coil_length_mm=coil_length_m * 1000.0,
        mm_per_px_along=mm_per_px,
        mm_per_px_across=mm_per_px,
        defects_per_m=defects_per_m,
        roll_mark_pitch_mm=roll_mark_pitch_mm or None,
    )
    return SimulationSettings(line, camera=camera, codec=packed, speed_m_per_s=speed_m_per_s)


def simulate_and_print(out: Path, settings: SimulationSettings, *, overwrite: bool) -> None:
    """Draw a line into a recording, with progress on a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("drawing", total=count_simulated(settings))

        def show(summary: SimulatedSummary) -> None:
            progress.update(task, completed=summary.frames)

        summary = write_simulated(out, settings, overwrite=overwrite, progress=show)
    sys.stdout.write(
        f"{out}: {summary.frames} frames of {summary.coils} coils, {summary.defects} defects\n"
    )
