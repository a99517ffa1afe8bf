"""A replay from its arguments to its summary: opens what is asked for, plays, closes."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from edge_daemon.clock import SystemClock
from edge_daemon.conveyor import Conveyor
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import HealthReport, StatusReport
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Courier
from edge_daemon.engine import Engine, load_configured
from edge_daemon.errors import EdgeDaemonError, SourceError
from edge_daemon.pipeline import Inspector
from edge_daemon.preparing import Preparer
from edge_daemon.recordings.images import list_images
from edge_daemon.recordings.sources import IMAGE_CAMERA, open_replay
from edge_daemon.replay.outputs import Delivery, JsonLines, Output, Report, Submission
from edge_daemon.replay.player import Pace, Reader, play_through
from edge_daemon.replay.summary import ReplaySummary, StageTimes
from edge_daemon.report.writer import ReportWriter
from edge_daemon.settings import Config
from edge_daemon.telemetry.delivery import DeliveryMetrics
from edge_daemon.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What a replay is asked for.

    Attributes:
        sources: folders of images, images, recordings.
        bundle: folder of the network; None takes the configured or the shipped one.
        speed: factor of the recorded pace; None is as fast as can be.
        jsonl: file for one object per frame; `-` is standard output.
        submission: file for Kaggle's rows.
        report: folder for the HTML report.
        mqtt: URL of a broker to tell; None tells nobody.
        camera: id that images get.
        continuous: the images of a folder follow each other on the strip.
        patience_s: how long the broker may take with what it hasn't taken when the input is over.
    """

    sources: tuple[Path, ...]
    bundle: Path | None = None
    speed: float | None = None
    jsonl: Path | None = None
    submission: Path | None = None
    report: Path | None = None
    mqtt: str | None = None
    camera: str = IMAGE_CAMERA
    continuous: bool = False
    patience_s: float = 30.0


def run_replay(
    request: ReplayRequest,
    config: Config,
    *,
    progress: Callable[[int, int | None], None],
) -> ReplaySummary:
    """Replay what is asked for.

    Args:
        request: what to replay and what to write.
        config: scales, bundle and topic root are taken from it.
        progress: called with the frames done and, where known, to do.

    Raises:
        ConfigurationError: bundle, configuration or broker can't be used.
        SourceError: a source or an output can't be used.
        EngineError: the network failed.
        EdgeDaemonError: the broker didn't take all messages.
    """
    source = open_replay(request.sources, camera=request.camera, continuous=request.continuous)
    path = request.bundle or config.bundle.path
    engine = load_configured(config.bundle.model_copy(update={"path": path}))
    summary = ReplaySummary()
    stage = StageTimes(summary.stage_seconds)
    preparer, inspector = _fresh_steps(engine, config, stage)
    total = source.count()
    with _disk_trouble_told(), engine, ExitStack() as exits:
        outputs: list[Output] = [summary, *_open_outputs(request, config, engine, exits)]
        reader = exits.enter_context(Reader(source, Pace(request.speed)))
        conveyor = Conveyor(
            reader,
            preparer,
            engine.segmenter,
            stage=stage,
            clock=SystemClock(),
            decoders=config.ingest.decoders,
        )
        with summary.timed(), conveyor:
            play_through(
                reader,
                conveyor,
                inspector,
                outputs=outputs,
                progress=lambda: progress(summary.frames, total),
            )
    return summary


def _fresh_steps(engine: Engine, config: Config, stage: StageTimes) -> tuple[Preparer, Inspector]:
    """What is before the network and behind it, knowing of no frame yet."""
    rules = config.image.rules
    preparer = Preparer(
        stride_px=engine.segmenter.stride_px, cameras=None, stage=stage, pictures=rules
    )
    inspector = Inspector(
        engine.bundle.classes,
        bundle=engine.name,
        scales=config.scales,
        saved={},
        stage=stage,
        pictures=rules,
    )
    return preparer, inspector


@contextmanager
def _disk_trouble_told() -> Iterator[None]:
    """A disk that is full shows with any line written, and often only when a file is closed."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"an output can't be written ({error.strerror}); make room, or choose another place"
        ) from error


def _open_outputs(
    request: ReplayRequest, config: Config, engine: Engine, exits: ExitStack
) -> list[Output]:
    outputs: list[Output] = []
    try:
        if request.jsonl is not None and str(request.jsonl) == "-":
            outputs.append(JsonLines(sys.stdout))
        elif request.jsonl is not None:
            outputs.append(JsonLines(_open_text(request.jsonl, request, exits)))
        if request.submission is not None:
            submission = Submission(_open_text(request.submission, request, exits))
            submission.write_header()
            outputs.append(submission)
    except OSError as error:
        raise SourceError(
            f"{error.filename}: can't be written ({error.strerror}); choose another file"
        ) from error
    if request.report is not None:
        facts = {"bundle": engine.name, "input": ", ".join(p.name for p in request.sources)}
        outputs.append(Report(exits.enter_context(ReportWriter(request.report, facts=facts))))
    if request.mqtt is not None:
        broker = Broker.from_config(config.mqtt.model_copy(update={"url": request.mqtt}))
        if broker is not None:
            broker = replace(broker, role="replay")
            outputs.append(_open_delivery(broker, engine, exits, patience_s=request.patience_s))
    return outputs


def _open_text(path: Path, request: ReplayRequest, exits: ExitStack) -> TextIO:
    """Open an output, but never what is being read.

    Raises:
        SourceError: it is what is being read.
        OSError: it can't be written.
    """
    for source in request.sources:
        files = list_images(source) if source.is_dir() else [source]
        if path.exists() and any(file.exists() and path.samefile(file) for file in files):
            raise SourceError(f"{path} is what is replayed; choose another file for the output")
    return exits.enter_context(path.open("w", encoding="utf-8", newline="\n"))


def _open_delivery(
    broker: Broker, engine: Engine, exits: ExitStack, *, patience_s: float
) -> Delivery:
    """Deliver by an outbox of its own: the daemon's belongs to the daemon."""
    folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="edge-daemon-replay-"))
    clock = SystemClock()
    began_ns = clock.now_ns()
    observer = DeliveryMetrics(Metrics())
    status = StatusReport(
        online=True,
        state="running",
        version=version("edge-daemon"),
        bundle=engine.name,
        started_at=iso_utc(began_ns),
    )

    def health() -> HealthReport:
        return HealthReport(
            uptime_s=max(clock.now_ns() - began_ns, 0) / 1e9,
            frames_received=0,
            frames_rejected=0,
            lines_inspected=0,
            lines_not_inspected=0,
            outbox_depth=observer.depth,
            cameras=0,
            inspecting=True,
        )

    courier = exits.enter_context(
        Courier(
            Path(folder) / "outbox.sqlite3",
            status,
            health=health,
            broker=broker,
            clock=clock,
            observer=observer,
        )
    )
    exits.callback(_require_delivered, courier, observer, broker, patience_s=patience_s)
    return Delivery(courier)


def _require_delivered(
    courier: Courier, observer: DeliveryMetrics, broker: Broker, *, patience_s: float
) -> None:
    """Wait until the broker has taken all; a replay keeps nothing for later.

    Raises:
        EdgeDaemonError: it hasn't.
    """
    courier.close(patience_s)
    if observer.depth:
        raise EdgeDaemonError(
            f"{observer.depth} messages were not taken by {broker.host}:{broker.port} within "
            f"{patience_s:g} s ({courier.broker_trouble or 'still waiting'}); replay again when "
            "the broker is there"
        )
