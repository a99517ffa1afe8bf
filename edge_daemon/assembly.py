"""Puts the daemon's parts together as the configuration has it; starts none of them."""

import logging
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version

from edge_daemon.clock import Clock
from edge_daemon.config import state_directory
from edge_daemon.conveyor import Conveyor
from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import HealthReport, StatusReport
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Booking, Courier
from edge_daemon.documents import saved_alarms
from edge_daemon.engine import Engine
from edge_daemon.errors import StoreError
from edge_daemon.evidence.keeper import EvidenceKeeper, EvidenceSettings
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.keys import load_keyring
from edge_daemon.ingest.memory_limit import MemoryLimit, allowed_bytes
from edge_daemon.ingest.receiver import Receiver
from edge_daemon.inspection import InspectionWorker, Totals
from edge_daemon.network import KnownAnswerSchedule
from edge_daemon.outcomes import Facts
from edge_daemon.pipeline import Inspector
from edge_daemon.preparing import Preparer
from edge_daemon.settings import Config
from edge_daemon.telemetry.board import BoardCollector
from edge_daemon.telemetry.delivery import DeliveryMetrics
from edge_daemon.telemetry.evidence import EvidenceMetrics
from edge_daemon.telemetry.health import Health, Heart
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.web import WebServer

_LOG = logging.getLogger(__name__)
OUTBOX_NAME = "outbox.sqlite3"
_STALL_AFTER_S = 10.0
_SUBMIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Instruments:
    """What the parts of one run report to.

    Attributes:
        metrics: for Prometheus.
        delivery: what the courier tells of.
        totals: counters since the start, for the health topic.
        health: for /livez, /readyz and the watchdog.
        started_ns: ns since 1970 UTC.
    """

    metrics: Metrics
    delivery: DeliveryMetrics
    health: Health
    started_ns: int
    totals: Totals = field(default_factory=Totals)

    @classmethod
    def of(cls, config: Config, clock: Clock) -> "Instruments":
        """Fresh ones for a run."""
        metrics = Metrics(config.scales, max(config.ingest.max_cameras, len(config.scales)))
        metrics.registry.register(BoardCollector())
        return cls(metrics, DeliveryMetrics(metrics), Health(clock), clock.now_ns())

    def report_health(self, now_ns: int) -> HealthReport:
        """Counters since the start, for the health topic."""
        return HealthReport(
            uptime_s=max(now_ns - self.started_ns, 0) / 1e9,
            frames_received=self.totals.frames_received,
            frames_rejected=self.totals.frames_rejected,
            lines_inspected=self.totals.lines_inspected,
            lines_not_inspected=self.totals.lines_not_inspected,
            outbox_depth=self.delivery.depth,
            cameras=self.totals.cameras,
            inspecting=self.health.ready().ok,
        )


class Assembly:
    """Builds the parts of one run.

    Args:
        config: as `load_config` gave it.
        clock: the machine's clocks.
        environ: where systemd leaves its folders.
        instruments: what the parts report to.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        environ: Mapping[str, str],
        instruments: Instruments,
    ) -> None:
        self._config = config
        self._clock = clock
        self._environ = environ
        self._instruments = instruments
        self._metrics = instruments.metrics
        self._health = instruments.health

    def web(self) -> WebServer:
        """The pages."""
        section = self._config.http
        return WebServer(
            section.bind,
            self._metrics,
            health=self._health,
            certificate_file=section.certificate_file,
            key_file=section.key_file,
            token_file=section.token_file,
        )

    def courier(self, engine: Engine) -> Courier:
        """The way from facts to the plant.

        Raises:
            StoreError: the state folder can't be made.
            ConfigurationError: [mqtt] can't be used.
        """
        directory = state_directory(self._config, self._environ)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{directory}: can't be made ({error.strerror}); name a folder that the daemon may "
                "write to with [state] directory"
            ) from error
        broker = Broker.from_config(self._config.mqtt)
        for warning in () if broker is None else broker.warnings:
            _LOG.warning("%s", warning)
        status = StatusReport(
            online=True,
            state="running",
            version=version("edge-daemon"),
            bundle=engine.name,
            started_at=iso_utc(self._instruments.started_ns),
        )
        return Courier(
            directory / OUTBOX_NAME,
            status,
            health=lambda: self._instruments.report_health(self._clock.now_ns()),
            broker=broker,
            clock=self._clock,
            observer=self._instruments.delivery,
            on_announced=_show if broker is None else _keep_quiet,
            beat=self._health.worker("courier", _STALL_AFTER_S).beat,
            max_bytes=self._config.state.outbox_mib * 2**20,
        )

    def backlog(self) -> Backlog:
        """What waits for the network."""
        ingest = self._config.ingest
        return Backlog(
            ingest.drop_policy,
            frames=ingest.queue_frames,
            max_bytes=ingest.queue_mib * 2**20,
            max_age_s=ingest.max_age_s,
            clock=self._clock,
        )

    def conveyor(self, engine: Engine, backlog: Backlog, heart: Heart) -> Conveyor:
        """The way to the network and on."""
        return Conveyor(
            backlog,
            Preparer(
                stride_px=engine.segmenter.stride_px,
                cameras=self._config.scales or None,
                stage=self._stage,
                pictures=self._config.image.rules,
            ),
            engine.segmenter,
            stage=self._stage,
            clock=self._clock,
            decoders=self._config.ingest.decoders,
            batch_wait_s=self._config.bundle.batch_wait_ms / 1e3,
            known_answer=KnownAnswerSchedule(
                engine.known_answer, every_ns=int(self._config.bundle.known_answer_every_s * 1e9)
            ),
            beat=heart.beat,
            stand_still=heart.stand_still,
        )

    def evidence(self) -> AbstractContextManager[EvidenceKeeper | None]:
        """Who keeps the frames around defects; nobody where no folder is named for them."""
        section = self._config.evidence
        if section.directory is None:
            return nullcontext()
        settings = EvidenceSettings(
            section.directory,
            max_bytes=section.max_mib * 2**20,
            memory_bytes=section.memory_mib * 2**20,
            before_s=section.before_s,
            after_s=section.after_s,
            leave_free_bytes=section.leave_free_mib * 2**20,
        )
        observer = EvidenceMetrics(self._metrics.registry)
        return EvidenceKeeper(settings, clock=self._clock, observer=observer)

    def worker(
        self,
        engine: Engine,
        courier: Courier,
        conveyor: Conveyor,
        *,
        backlog: Backlog,
        evidence: EvidenceKeeper | None,
    ) -> InspectionWorker:
        """Who settles what comes from the network."""
        heart = self._health.worker("inspector", _STALL_AFTER_S)
        inspector = Inspector(
            engine.bundle.classes,
            bundle=engine.name,
            scales=self._config.scales,
            saved=courier.initial_state,
            stage=self._stage,
            pictures=self._config.image.rules,
            most_cameras=self._config.ingest.max_cameras,
        )
        if courier.recovery is not None:
            _LOG.critical("the outbox couldn't be used as it was: %s", courier.recovery)
        panel = AlarmPanel(
            self._config.scales,
            silent_after_ns=int(self._config.alarms.camera_silent_s * 1e9),
            started_ns=self._clock.monotonic_ns(),
            saved=saved_alarms(courier.initial_state),
        )
        return InspectionWorker(
            inspector,
            conveyor,
            backlog=backlog,
            book=lambda facts: _book(courier, facts, heart),
            panel=panel,
            metrics=self._metrics,
            totals=self._instruments.totals,
            clock=self._clock,
            beat=heart.beat,
            evidence=evidence,
            troubles=lambda: {
                "state-lost": None if courier.recovery is None else str(courier.recovery),
                "evidence": None if evidence is None else evidence.trouble,
            },
        )

    def door(self) -> Doorkeeper:
        """Who lets cameras in.

        Raises:
            ConfigurationError: the daemon's secret key can't be used.
        """
        return Doorkeeper(
            load_keyring(self._config.ingest, self._config.camera),
            turned_away=lambda reason: self._metrics.handshake_failures.labels(reason).inc(),
            hung_up=self._metrics.camera_disconnects.inc,
            beat=self._health.worker("doorkeeper", _STALL_AFTER_S).beat,
        )

    def receiver(self, backlog: Backlog, door: Doorkeeper) -> Receiver:
        """The sockets that cameras connect to."""
        ingest = self._config.ingest
        heart = self._health.worker("receiver", _STALL_AFTER_S)
        return Receiver(
            self._config.endpoints,
            backlog,
            clock=self._clock,
            beat=heart.beat,
            stand_still=heart.stand_still,
            max_payload_bytes=ingest.max_payload_mib * 2**20,
            max_frames_per_s=ingest.max_frames_per_s,
            most_cameras=ingest.max_cameras,
            door=door,
            memory=MemoryLimit(allowed_bytes(ingest.max_process_mib)),
        )

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return self._metrics.stage_seconds.labels(name).time()


def _book(courier: Courier, facts: Facts, heart: Heart) -> None:
    booking = Booking(facts.announcements, facts.state)
    while not courier.submit(booking, timeout_s=_SUBMIT_S):
        heart.beat()


def _show(topic: str, payload: bytes) -> None:
    """Without a broker, what would be told is shown."""
    sys.stdout.write(f"{topic} {payload.decode()}\n")
    sys.stdout.flush()


def _keep_quiet(_topic: str, _payload: bytes) -> None:
    """With a broker, whoever subscribes sees it there."""
