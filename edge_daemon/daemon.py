"""The daemon's life: start up, watch over its threads, shut down.

    cameras -> receiver -> backlog -> network -> inspector -> courier -> outbox -> broker

Every arrow is a bounded queue, every name a thread with one owner. The main thread only feeds the
watchdog and waits for a signal or for a thread that failed.
"""

import logging
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from importlib.metadata import version

import cv2

from edge_daemon.clock import Clock
from edge_daemon.config import state_directory
from edge_daemon.conveyor import Conveyor, KnownAnswerSchedule
from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.messages import HealthReport, StatusReport, iso_utc
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Booking, Courier
from edge_daemon.engine import Engine, load_configured, plan_request
from edge_daemon.errors import EXIT_FAILED, EdgeDaemonError, StoreError
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.receiver import Receiver
from edge_daemon.inspection import InspectionWorker, Totals
from edge_daemon.outcomes import Facts
from edge_daemon.pipeline import Inspector
from edge_daemon.preparing import Preparer
from edge_daemon.settings import BundleSection, Config
from edge_daemon.signals import stop_on_signals
from edge_daemon.telemetry.board import BoardCollector
from edge_daemon.telemetry.delivery import DeliveryMetrics
from edge_daemon.telemetry.health import Condition, Health, Heart
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.notify import Notifier, feed_watchdog, watchdog_interval_s
from edge_daemon.telemetry.web import WebServer
from edge_daemon.upgrading import Upgrade

_LOG = logging.getLogger(__name__)
_STALL_AFTER_S = 10.0
_TURN_S = 0.5
_SUBMIT_S = 0.5
_SWITCH_S = 0.0005
"""After so long the network's thread gets Python's lock back; by default it waits 5 ms for it."""


class Daemon:
    """One run of the daemon, from a checked configuration to its exit code.

    Args:
        config: as `load_config` gave it.
        clock: the machine's clocks.
        environ: where systemd leaves its sockets and folders.
        load_engine: gives the network.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        environ: Mapping[str, str],
        load_engine: Callable[[BundleSection], Engine] = load_configured,
    ) -> None:
        self._load_engine = load_engine
        self._config = config
        self._clock = clock
        self._environ = environ
        self._metrics = Metrics(config.scales)
        self._metrics.registry.register(BoardCollector())
        self._delivery = DeliveryMetrics(self._metrics)
        self._totals = Totals()
        self._health = Health(clock)
        self._notifier = Notifier.from_environment(environ)
        self._started_ns = clock.now_ns()

    def run(self) -> int:
        """Serve until a signal comes or a thread fails; returns the exit code.

        Raises:
            ConfigurationError: something in the configuration can't be used.
            StoreError: the state folder can't be used.
            EngineError: the network doesn't give the known answer.
        """
        cv2.setNumThreads(1)  # its threads would only take the network's cores
        sys.setswitchinterval(_SWITCH_S)
        with stop_on_signals() as stop, ExitStack() as exits:
            network = self._health.worker("network", _STALL_AFTER_S)
            engine = self._start_engine(exits)
            courier = exits.enter_context(self._courier(engine))
            exits.enter_context(
                WebServer(self._config.http.bind, self._metrics, health=self._health)
            )
            backlog = self._backlog()
            conveyor = self._conveyor(engine, backlog, network)
            worker = exits.enter_context(self._worker(engine, courier, conveyor, backlog=backlog))
            exits.enter_context(conveyor)
            receiver = exits.enter_context(self._receiver(backlog))
            self._health.condition("engine").ok()
            _judge(self._health.condition("outbox"), courier.degraded)
            self._notifier.status(f"inspecting with {engine.name}")
            self._notifier.ready()
            _LOG.info(
                "inspecting with %s; frames on %s, metrics on http://%s/metrics",
                engine.name,
                ", ".join(receiver.addresses),
                self._config.http.bind,
            )
            code = self._watch(stop, worker, receiver, courier=courier)
            self._notifier.stopping()
            _LOG.info("stopping: what waits is inspected, what is told is delivered or kept")
            if code != 0:
                courier.omit_farewell()
                conveyor.abandon()
        if code == 0 and (worker.failure is not None or not worker.has_ended):
            _LOG.critical("failed while stopping: %s", worker.failure or "frames still wait")
            return EXIT_FAILED
        return code

    def _start_engine(self, exits: ExitStack) -> Engine:
        self._notifier.status("loading the bundle")
        engine = exits.enter_context(self._load_engine(self._config.bundle))
        self._metrics.known_answer_timestamp_seconds.set(self._clock.now_ns() / 1e9)
        self._metrics.set_build(
            version=version("edge-daemon"),
            bundle=engine.name,
            sqlite=sqlite3.sqlite_version,
            onnxruntime=version("onnxruntime"),
        )
        self._metrics.set_engine(engine.backend.runtime)
        self._health.note("engine", f"{engine.backend.runtime} on {engine.backend.device}")
        if engine.backend.missing_plan is None:
            return engine
        _LOG.info("a plan for the GPU is wanted: %s", engine.backend.missing_plan)
        upgrade = Upgrade(
            engine,
            plan_request(self._config.bundle),
            note=lambda text: self._health.note("engine", text),
            switched=self._metrics.set_engine,
        )
        return exits.enter_context(upgrade).engine

    def _courier(self, engine: Engine) -> Courier:
        directory = state_directory(self._config, self._environ)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{directory}: can't be made ({error.strerror}); name a folder that the daemon may "
                "write to with [state] directory"
            ) from error
        broker = Broker.from_config(self._config.mqtt)
        status = StatusReport(
            online=True,
            state="running",
            version=version("edge-daemon"),
            bundle=engine.name,
            started_at=iso_utc(self._started_ns),
        )
        return Courier(
            directory / "outbox.sqlite3",
            status,
            health=self._report_health,
            broker=broker,
            clock=self._clock,
            observer=self._delivery,
            on_announced=_show if broker is None else _keep_quiet,
            beat=self._health.worker("courier", _STALL_AFTER_S).beat,
        )

    def _backlog(self) -> Backlog:
        ingest = self._config.ingest
        return Backlog(
            ingest.drop_policy,
            frames=ingest.queue_frames,
            max_bytes=ingest.queue_mib * 2**20,
            max_age_s=ingest.max_age_s,
            clock=self._clock,
        )

    def _conveyor(self, engine: Engine, backlog: Backlog, heart: Heart) -> Conveyor:
        section = self._config.bundle
        return Conveyor(
            backlog,
            Preparer(
                stride_px=engine.segmenter.stride_px,
                cameras=self._config.scales or None,
                stage=self._stage,
            ),
            engine.segmenter,
            stage=self._stage,
            clock=self._clock,
            decoders=self._config.ingest.decoders,
            batch_wait_s=section.batch_wait_ms / 1e3,
            known_answer=KnownAnswerSchedule(
                engine.known_answer, every_ns=int(section.known_answer_every_s * 1e9)
            ),
            beat=heart.beat,
        )

    def _worker(
        self, engine: Engine, courier: Courier, conveyor: Conveyor, *, backlog: Backlog
    ) -> InspectionWorker:
        heart = self._health.worker("inspector", _STALL_AFTER_S)
        inspector = Inspector(
            engine.bundle.classes,
            bundle=engine.name,
            scales=self._config.scales,
            saved=courier.initial_state,
            stage=self._stage,
        )
        if courier.set_aside is not None:
            _LOG.critical("the outbox couldn't be read and was put aside as %s", courier.set_aside)
        panel = AlarmPanel(
            self._config.scales,
            silent_after_ns=int(self._config.alarms.camera_silent_s * 1e9),
            started_ns=self._clock.monotonic_ns(),
            state_lost=None if courier.set_aside is None else str(courier.set_aside),
        )
        return InspectionWorker(
            inspector,
            conveyor,
            backlog=backlog,
            book=lambda facts: _book(courier, facts, heart),
            panel=panel,
            metrics=self._metrics,
            totals=self._totals,
            clock=self._clock,
            beat=heart.beat,
        )

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return self._metrics.stage_seconds.labels(name).time()

    def _receiver(self, backlog: Backlog) -> Receiver:
        return Receiver(
            self._config.endpoints,
            backlog,
            clock=self._clock,
            beat=self._health.worker("receiver", _STALL_AFTER_S).beat,
            max_payload_bytes=self._config.ingest.max_payload_mib * 2**20,
        )

    def _watch(
        self,
        stop: threading.Event,
        worker: InspectionWorker,
        receiver: Receiver,
        *,
        courier: Courier,
    ) -> int:
        """Feed the watchdog until a signal comes or a thread has failed; returns the exit code."""
        interval_s = watchdog_interval_s(self._environ)
        turn_s = _TURN_S if interval_s is None else min(_TURN_S, interval_s)
        engine, outbox = self._health.condition("engine"), self._health.condition("outbox")
        while not stop.wait(turn_s):
            _judge(outbox, courier.degraded)
            report = feed_watchdog(self._notifier, self._health)
            if not report.ok:
                _LOG.error("stalled: %s", report.reasons)
            for failure in (worker.failure, receiver.failure):
                if failure is not None:
                    engine.not_ok(str(failure))
                    _LOG.critical("leaving: %s", failure, exc_info=failure)
                    return _exit_code(failure)
            alive = (
                ("courier", courier.alive),
                ("receiver", receiver.alive),
                ("inspector", not worker.has_ended),
            )
            ended = [name for name, still in alive if not still]
            if ended:
                _LOG.critical("leaving: the thread of the %s has ended", ended[0])
                return EXIT_FAILED
        return 0

    def _report_health(self) -> HealthReport:
        """Counters since the start, for the health topic."""
        totals = self._totals
        return HealthReport(
            uptime_s=max(self._clock.now_ns() - self._started_ns, 0) / 1e9,
            frames_received=totals.frames_received,
            frames_rejected=totals.frames_rejected,
            lines_inspected=totals.lines_inspected,
            lines_not_inspected=totals.lines_not_inspected,
            outbox_depth=self._delivery.depth,
            cameras=totals.cameras,
            inspecting=self._health.ready().ok,
        )


def _exit_code(failure: BaseException) -> int:
    return failure.exit_code if isinstance(failure, EdgeDaemonError) else EXIT_FAILED


def _book(courier: Courier, facts: Facts, heart: Heart) -> None:
    booking = Booking(facts.announcements, facts.state)
    while not courier.submit(booking, timeout_s=_SUBMIT_S):
        heart.beat()


def _judge(condition: Condition, complaint: str | None) -> None:
    if complaint is None:
        condition.ok()
    else:
        condition.not_ok(complaint)


def _show(topic: str, payload: bytes) -> None:
    """Without a broker, what would be told is shown."""
    sys.stdout.write(f"{topic} {payload.decode()}\n")
    sys.stdout.flush()


def _keep_quiet(_topic: str, _payload: bytes) -> None:
    """With a broker, whoever subscribes sees it there."""
