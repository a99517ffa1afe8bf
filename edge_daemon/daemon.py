"""One run of the daemon: start up, watch over its threads, shut down.

    cameras -> receiver -> backlog -> network -> inspector -> courier -> outbox -> broker

Every arrow is a bounded queue, every name a thread with one owner. The main thread only feeds the
watchdog and waits for an order or for a thread that failed. `edge_daemon.serving` starts the runs.
"""

import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version

import cv2

from edge_daemon.assembly import Assembly, Instruments
from edge_daemon.clock import Clock
from edge_daemon.conveyor import Conveyor
from edge_daemon.delivery.courier import Courier
from edge_daemon.engine import Engine, load_configured, plan_request
from edge_daemon.errors import EXIT_ENGINE, EXIT_FAILED, EdgeDaemonError, EngineError
from edge_daemon.ingest.receiver import Receiver
from edge_daemon.inspection import InspectionWorker
from edge_daemon.settings import BundleSection, Config
from edge_daemon.signals import Orders
from edge_daemon.telemetry.health import Condition
from edge_daemon.telemetry.notify import Notifier, feed_watchdog, watchdog_interval_s
from edge_daemon.upgrading import Upgrade

_LOG = logging.getLogger(__name__)
_STALL_AFTER_S = 10.0
_TURN_S = 0.5
_LATE_S = 8.0
"""The longest that the network may take over one batch; what is later is as bad as wrong."""
_SWITCH_S = 0.0005
"""After so long the network's thread gets Python's lock back; by default it waits 5 ms for it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        code: exit code, if the process leaves now.
        successor: the configuration to go on with, where a new one was asked for.
    """

    code: int
    successor: Config | None = None


@dataclass(frozen=True, slots=True)
class _Threads:
    """What is watched over."""

    courier: Courier
    conveyor: Conveyor
    worker: InspectionWorker
    receiver: Receiver

    @property
    def failures(self) -> tuple[BaseException | None, ...]:
        return self.worker.failure, self.receiver.failure

    @property
    def ended(self) -> str | None:
        """Whose thread is gone."""
        alive = (
            ("courier", self.courier.alive),
            ("receiver", self.receiver.alive),
            ("inspector", not self.worker.has_ended),
        )
        return next((name for name, still in alive if not still), None)


class Daemon:
    """One run, from a checked configuration to its end.

    Args:
        config: as `load_config` gave it.
        clock: the machine's clocks.
        environ: where systemd leaves its sockets and folders.
        orders: what signals have told the process.
        successor: reads and checks the configuration anew; None when it is no good.
        reloaded: whether the last new configuration could be used.
        load_engine: gives the network.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        environ: Mapping[str, str],
        orders: Orders,
        successor: Callable[[], Config | None] = lambda: None,
        reloaded: bool = True,
        load_engine: Callable[[BundleSection], Engine] = load_configured,
    ) -> None:
        self._config = config
        self._clock = clock
        self._environ = environ
        self._orders = orders
        self._successor = successor
        self._reloaded = reloaded
        self._load_engine = load_engine
        self._instruments = Instruments.of(config, clock)
        self._metrics = self._instruments.metrics
        self._health = self._instruments.health
        self._assembly = Assembly(config, clock, environ=environ, instruments=self._instruments)
        self._notifier = Notifier.from_environment(environ)
        self.was_ready = False

    def run(self) -> Ending:
        """Serve until an order comes or a thread fails.

        Raises:
            ConfigurationError: something in the configuration can't be used.
            StoreError: the state folder can't be used.
            EngineError: the network doesn't give the known answer.
        """
        cv2.setNumThreads(1)  # its threads would only take the network's cores
        sys.setswitchinterval(_SWITCH_S)
        self._metrics.config_reload_success.set(self._reloaded)
        with ExitStack() as exits:
            threads = self._start(exits)
            ending = self._watch(threads)
            if ending.successor is None:
                self._notifier.stopping()
            _LOG.info("stopping: what waits is inspected, what is told is delivered or kept")
            if ending.code != 0:
                threads.courier.omit_farewell()
                threads.conveyor.abandon()
        if threads.conveyor.is_stuck:
            _LOG.critical("leaving without the network's or a decoder's thread: it doesn't return")
            _leave_at_once(ending.code or EXIT_ENGINE)
        failure = threads.worker.failure
        if ending.code == 0 and (failure is not None or not threads.worker.has_ended):
            _LOG.critical("failed while stopping: %s", failure or "frames still wait")
            return Ending(EXIT_FAILED)
        if ending.code == 0 and threads.courier.unkept:
            _LOG.critical("failed while stopping: what was seen last is booked nowhere")
            return Ending(EXIT_FAILED)
        return ending

    def _start(self, exits: ExitStack) -> _Threads:
        assembly = self._assembly
        network = self._health.worker("network", _STALL_AFTER_S)
        door = exits.enter_context(assembly.door())
        engine = self._start_engine(exits)
        courier = exits.enter_context(assembly.courier(engine))
        web = exits.enter_context(assembly.web())
        backlog = assembly.backlog()
        conveyor = assembly.conveyor(engine, backlog, network)
        evidence = exits.enter_context(assembly.evidence())
        worker = assembly.worker(engine, courier, conveyor, backlog=backlog, evidence=evidence)
        exits.enter_context(worker)
        exits.enter_context(conveyor)
        receiver = exits.enter_context(assembly.receiver(backlog, door))
        for warning in (*web.warnings, *door.warnings):
            _LOG.warning("%s", warning)
        self._health.condition("engine").ok()
        _judge(self._health.condition("outbox"), courier.degraded)
        self._notifier.status(f"inspecting with {engine.name}")
        self._notifier.ready()
        self.was_ready = True
        _LOG.info(
            "inspecting with %s; frames on %s, metrics on %s/metrics",
            engine.name,
            ", ".join(receiver.addresses),
            web.url,
        )
        return _Threads(courier, conveyor, worker, receiver)

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

    def _watch(self, threads: _Threads) -> Ending:
        """Feed the watchdog until an order comes or a thread has failed."""
        interval_s = watchdog_interval_s(self._environ)
        turn_s = _TURN_S if interval_s is None else min(_TURN_S, interval_s)
        heart = self._health.worker("main", _STALL_AFTER_S)
        while True:
            heart.beat()
            self._orders.wait(turn_s)
            if self._orders.stop:
                return Ending(0)
            if self._orders.take_reload() and (successor := self._reload(threads)) is not None:
                return Ending(0, successor)
            if (code := self._look_after(threads)) is not None:
                return Ending(code)

    def _look_after(self, threads: _Threads) -> int | None:
        """One round by all threads; returns the exit code when the run has to end."""
        _judge(self._health.condition("outbox"), threads.courier.degraded)
        self._metrics.outbox_shed.set(threads.courier.shed)
        if self._config.mqtt.url is not None:
            self._health.note("broker", threads.courier.broker_trouble or "connected")
        report = feed_watchdog(self._notifier, self._health)
        if not report.ok:
            _LOG.error("stalled: %s", report.reasons)
        if not threads.conveyor.is_stuck and threads.conveyor.called_for_s > _LATE_S:
            late = f"the network hasn't answered for {_LATE_S:g} s; its driver or hardware hangs"
            threads.conveyor.give_up(EngineError(late))
        for failure in threads.failures:
            if failure is not None:
                self._health.condition("engine").not_ok(str(failure))
                _LOG.critical("leaving: %s", failure, exc_info=failure)
                return _exit_code(failure)
        if threads.ended is not None:
            _LOG.critical("leaving: the thread of the %s has ended", threads.ended)
            return EXIT_FAILED
        return None

    def _reload(self, threads: _Threads) -> Config | None:
        self._notifier.reloading()
        successor = None
        if threads.courier.degraded is None:
            successor = self._successor()
        else:  # a new run would have to open the outbox, and couldn't
            _LOG.error("no new configuration while nothing can be made durable; reload afterwards")
        self._metrics.config_reload_success.set(successor is not None)
        if successor is None:
            self._notifier.status(
                "the new configuration can't be used, see the log; the old one stays"
            )
            self._notifier.ready()
        return successor


def _leave_at_once(code: int) -> None:
    """Leave without the runtime's own clearing up, which would wait for the thread that hangs."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code(failure: BaseException) -> int:
    return failure.exit_code if isinstance(failure, EdgeDaemonError) else EXIT_FAILED


def _judge(condition: Condition, complaint: str | None) -> None:
    if complaint is None:
        condition.ok()
    else:
        condition.not_ok(complaint)
