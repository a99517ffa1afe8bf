"""The whole daemon, as a process, fed through real ZeroMQ by cameras that never run out of frames.

The bare loop over the same network runs here, in the parent, while the cameras stand still; then
they go on and the daemon is watched through its own metrics. Bare, whole, bare, whole: a noisy
machine slows both alike, and what counts is the ratio, pair by pair.
"""

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edge_daemon.bench.frames import draw_strips
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.wire import Codec
from edge_daemon.engine import Engine
from edge_daemon.loopback.processes import await_ready, await_true, free_port, running
from edge_daemon.loopback.scraping import read_metrics, total

ROWS: Final = 256
"""Of a strip."""
_STRIPS: Final = 20
_SETTLE_S: Final = 0.5
_THREADS: Final = {
    "network": ("segment",),
    "decoders": ("decode", "cut"),
    "inspector": ("find", "book"),
}
"""Which thread of the daemon does what."""


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """What to measure.

    Attributes:
        cameras: how many send.
        codec: how they pack their frames.
        seconds: of each half of a pair.
        pairs: how many.
        transport: tcp or ipc.
        bundle: folder of the network; None takes the shipped one.
        null: leave the network out.
    """

    cameras: int
    codec: Codec
    seconds: float
    pairs: int
    transport: Literal["tcp", "ipc"]
    bundle: Path | None
    null: bool = False


@dataclass(frozen=True, slots=True)
class WholeResult:
    """What was measured.

    Attributes:
        cameras: how many sent.
        codec: how they packed their frames.
        strips_per_s: through the daemon, of all cameras, median of the pairs.
        bare_strips_per_s: through the network alone, median of the pairs.
        ratios: daemon to bare, pair by pair.
        busy: share of the time that each thread worked.
        latency_ms: mean from arrival to verdict.
        resident_mib: the daemon's memory at the end.
    """

    cameras: int
    codec: str
    strips_per_s: float
    bare_strips_per_s: float
    ratios: tuple[float, ...]
    busy: dict[str, float]
    latency_ms: float
    resident_mib: float

    @property
    def ratio(self) -> float:
        """Daemon to bare, median of the pairs."""
        return statistics.median(self.ratios)

    @property
    def bottleneck(self) -> str:
        """The thread that is busiest."""
        return max(self.busy, key=lambda name: self.busy[name])


@dataclass(frozen=True, slots=True)
class _Sample:
    seconds: float
    rows: float
    stage_s: dict[str, float]
    latency_s: float
    frames: float


def measure_whole(engine: Engine, request: WholeRequest) -> WholeResult:
    """Measure the daemon beside its own network.

    Args:
        engine: the same network as the request's, for the bare loop.
        request: what to measure.

    Raises:
        EdgeDaemonError: the daemon doesn't come up.
    """
    images = draw_strips(_STRIPS)
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="edge-bench-")))
        http, daemon, cameras = _start(request, folder, exits)
        await_true(lambda: _sample(http).rows > 0, "the first verdict")
        bare, whole, ratios, busy = [], [], [], []
        for _ in range(request.pairs):
            cameras.send_signal(signal.SIGSTOP)
            _await_quiet(http)
            bare.append(_run_bare(engine, images, request.seconds))
            cameras.send_signal(signal.SIGCONT)
            time.sleep(_SETTLE_S)
            before = _sample(http)
            time.sleep(request.seconds)
            after = _sample(http)
            whole.append((after.rows - before.rows) / ROWS / (after.seconds - before.seconds))
            ratios.append(whole[-1] / bare[-1])
            busy.append(_busy(before, after))
        end = _sample(http)
        return WholeResult(
            cameras=request.cameras,
            codec=request.codec.value,
            strips_per_s=statistics.median(whole),
            bare_strips_per_s=statistics.median(bare),
            ratios=tuple(ratios),
            busy={name: statistics.median(one[name] for one in busy) for name in _THREADS},
            latency_ms=1000 * end.latency_s / max(end.frames, 1),
            resident_mib=_resident_mib(daemon.pid),
        )


def _start(
    request: WholeRequest, folder: Path, exits: ExitStack
) -> "tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]":
    http = f"127.0.0.1:{free_port()}"
    address = f"tcp://127.0.0.1:{free_port()}"
    if request.transport == "ipc":
        address = f"ipc://{folder}/frames"
    config = folder / "config.toml"
    bundle = f'[bundle]\npath = "{request.bundle}"\n' if request.bundle else ""
    config.write_text(
        f'[ingest]\nbind = "{address}"\nmax_age_s = 60.0\n{bundle}'
        f'[http]\nbind = "{http}"\n[state]\ndirectory = "{folder / "state"}"\n',
        encoding="utf-8",
    )
    log = exits.enter_context((folder / "daemon.log").open("wb"))
    serve = [*_module("serve"), str(config), *(["--null"] if request.null else [])]
    daemon = exits.enter_context(running(serve, stdout=subprocess.DEVNULL, stderr=log))
    await_ready(http, daemon, folder / "daemon.log")
    play = [*_module("cameras"), address, str(request.cameras), request.codec.value]
    cameras = exits.enter_context(running(play, stdout=subprocess.DEVNULL, stderr=log))
    exits.callback(cameras.send_signal, signal.SIGCONT)  # or it could not be ended
    return http, daemon, cameras


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", f"edge_daemon.bench.{name}"]


def _await_quiet(http: str) -> None:
    last = [-1.0]

    def quiet() -> bool:
        rows = _sample(http).rows
        still, last[0] = rows == last[0], rows
        return still

    await_true(_slowly(quiet), "the daemon to finish what it has")


def _slowly(ask: Callable[[], bool]) -> Callable[[], bool]:
    def slow() -> bool:
        time.sleep(_SETTLE_S)
        return ask()

    return slow


def _run_bare(engine: Engine, images: Sequence[GreyImage], seconds: float) -> float:
    """Strips per second of the network alone, in batches as the daemon could fill at best."""
    segmenter = engine.segmenter
    batches = [
        [images[(first + n) % len(images)] for n in range(segmenter.max_batch)]
        for first in range(len(images))
    ]
    segmenter.segment(batches[0])  # wakes caches and thread pools
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < seconds:
        answers = segmenter.segment(batches[count % len(batches)])
        answers.fetch(slice(None))
        count += 1
    return count * segmenter.max_batch / (time.perf_counter() - began)


def _sample(http: str) -> _Sample:
    samples = read_metrics(http)
    prefix = "edge_daemon_stage_seconds_sum{"
    stages = {
        name.removeprefix(prefix).split('"')[1]: value
        for name, value in samples
        if name.startswith(prefix)
    }
    return _Sample(
        time.perf_counter(),
        rows=total(samples, "edge_daemon_lines_inspected_total"),
        stage_s=stages,
        latency_s=total(samples, "edge_daemon_frame_latency_seconds_sum"),
        frames=total(samples, "edge_daemon_frame_latency_seconds_count"),
    )


def _busy(before: _Sample, after: _Sample) -> dict[str, float]:
    seconds = after.seconds - before.seconds
    return {
        thread: sum(after.stage_s.get(s, 0.0) - before.stage_s.get(s, 0.0) for s in stages)
        / seconds
        for thread, stages in _THREADS.items()
    }


def _resident_mib(pid: int) -> float:
    """The resident set of a process as Linux tells it."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
