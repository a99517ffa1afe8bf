"""The line that soaks: daemon, broker, network between them, cameras, plant; and its troubles."""

import http
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from edge_daemon.core.wire import Codec
from edge_daemon.recordings.recording import read_recording
from edge_daemon.recordings.simulated import SimulationSettings, write_simulated
from edge_daemon.simulation.line import SyntheticLine
from tests.conftest import Mosquitto
from tests.edge_daemon.conftest import DaemonProcess, Scrape
from tests.faults.evidence import Announced, once, read_outbox, read_state, rows_inspected
from tests.faults.oracle import Coverage, judge_coverage
from tests.faults.plant import Plant
from tests.faults.proxy import Proxy, Weather
from tests.soak.cameras import MM_PER_ROW, ROWS, Camera
from tests.soak.schedule import Fault

TOPICS: Final = "edge/test/#"
_FREEZE_S: Final = 3.0
_COILS, _FRAMES_PER_COIL, _DEFECTS_PER_M = 3, 8, 4.0
_SETTLE_S: Final = 180.0
_BAD: Final = "\n[nonsense]\n"


def draw_pictures(folder: Path, *, seed: int) -> list[bytes]:
    """JPEG frames of a synthetic line with defects, for all cameras."""
    length_mm = _FRAMES_PER_COIL * ROWS * MM_PER_ROW
    strip = SyntheticLine(
        seed=seed, coils=_COILS, coil_length_mm=length_mm, defects_per_m=_DEFECTS_PER_M
    )
    path = folder / "line.mcap"
    write_simulated(path, SimulationSettings(strip, codec=Codec.JPEG))
    return [message.parts[2] for message in read_recording(path)]


class SoakedDaemon(DaemonProcess):
    """The daemon, that may be found dead."""

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return None if self._process is None else self._process.poll()

    def freeze(self, seconds: float) -> None:
        """Let it stand still for so long, as a box does that is short of everything."""
        os.kill(self.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)

    def look(self) -> Scrape:
        """Scrape it; empty where it doesn't answer or live."""
        return Scrape(self.get("/metrics")[1]) if self.exit_code is None else Scrape("")


class Line:
    """Everything real; made by `line`."""

    def __init__(
        self,
        folder: Path,
        broker: Mosquitto,
        *,
        proxy: Proxy,
        plant: Plant,
        daemon: SoakedDaemon,
        cameras: Sequence[Camera],
    ) -> None:
        self.plant = plant
        self.daemon = daemon
        self.cameras = cameras
        self.life = 0
        self.injected: Counter[str] = Counter()
        self.starts_s: list[float] = []
        self.surprises: list[str] = []
        self._folder = folder
        self._broker = broker
        self._proxy = proxy
        self._announced = Announced()
        self._config = daemon.config.read_text(encoding="utf-8")
        self._died_s: float | None = None

    def inject(self, fault: Fault, camera: int = 0) -> None:
        """Do it to the line."""
        self.injected[fault] += 1
        match fault:
            case Fault.KILL_DAEMON:
                self._kill_daemon()
            case Fault.KILL_BROKER:
                self._kill_broker()
            case Fault.BLACK_HOLE:
                self._proxy.weather = Weather.BLACK_HOLE
            case Fault.RESET:
                self._proxy.reset()
            case Fault.FREEZE:
                self.daemon.freeze(_FREEZE_S)
            case Fault.RELOAD:
                self.daemon.hang_up()
            case Fault.BAD_RELOAD:
                self._reload_badly()
            case _:
                self.cameras[camera].suffer(fault)

    def clear_up(self) -> None:
        """Let the network through again."""
        self._proxy.weather = Weather.FAIR

    @property
    def is_ready(self) -> bool:
        """Whether the daemon has been found ready since it was last killed."""
        return self._died_s is None

    def watch(self) -> None:
        """Note when the daemon is ready again, and start it if it has ended by itself."""
        code = self.daemon.exit_code
        if code is not None:
            self.surprises.append(f"the daemon ended by itself with {code}: see its log")
            self._bury_and_start()
        elif self._died_s is not None and self.daemon.get("/readyz")[0] == http.HTTPStatus.OK:
            self.starts_s.append(time.monotonic() - self._died_s)
            self._died_s = None

    def finish(self) -> tuple[Announced, list[Coverage]]:
        """Let everything settle, stop in order, and give what the oracle has to know."""
        self.clear_up()
        self._settle("/readyz", lambda: self.daemon.get("/readyz")[0] == http.HTTPStatus.OK)
        for camera in self.cameras:
            camera.finish()
        # Whatever still waits is looked at when it stops, but it has only so long for that.
        self._settle("frames", lambda: self.daemon.look().total("queue_depth") == 0)
        self._settle("a connection", lambda: self.daemon.look().total("mqtt_connected") == 1)
        self._settle("an empty outbox", lambda: self.daemon.look().total("outbox_depth") == 0)
        code = self.daemon.stop(signal.SIGTERM)
        if code:
            self.surprises.append(f"told to stop, the daemon left with {code}")
        self._take_evidence()
        return self._announced, self._judge_rows()

    def _settle(self, what: str, reached: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _SETTLE_S
        while not reached():
            if time.monotonic() > deadline_s or self.daemon.exit_code is not None:
                self.surprises.append(f"waited up to {_SETTLE_S:g} s in vain for {what}")
                return
            time.sleep(0.1)

    def _judge_rows(self) -> list[Coverage]:
        messages = once(self.plant.durable())
        inspected = rows_inspected(read_state(self.daemon.state / "outbox.sqlite3"))
        return [
            judge_coverage(
                camera.name,
                camera.passed(),
                messages=messages,
                inspected=inspected.get(camera.name, 0),
                mm_per_row=MM_PER_ROW,
            )
            for camera in self.cameras
        ]

    def _take_evidence(self) -> None:
        on_disk = read_outbox(self.daemon.state / "outbox.sqlite3", self._folder)
        self._announced = self._announced.joined(on_disk)

    def _kill_daemon(self) -> None:
        self.daemon.stop(signal.SIGKILL)
        self._bury_and_start()

    def _bury_and_start(self) -> None:
        self._take_evidence()
        self.daemon.config.write_text(self._config, encoding="utf-8")
        self._died_s = time.monotonic()
        self.life += 1
        self.daemon.start()

    def _kill_broker(self) -> None:
        """Kill it; let nobody in before the plant listens again.

        What a broker takes while nobody has subscribed reaches nobody: no fault of the station's.
        """
        self._broker.kill()
        with self._proxy.shut():
            self._broker.start()
            self.plant.await_return()

    def _reload_badly(self) -> None:
        self.daemon.config.write_text(self._config + _BAD, encoding="utf-8")
        self.daemon.hang_up()
        time.sleep(1.0)
        self.daemon.config.write_text(self._config, encoding="utf-8")


@contextmanager
def line(
    folder: Path, *, cameras: int, frames_per_s: float, seed: int, settings: Sequence[str] = ()
) -> Iterator[Line]:
    """Set up everything and keep it running for as long as the block lasts.

    Args:
        folder: for logs and state; what is in it tells what happened.
        cameras: how many.
        frames_per_s: of each.
        seed: of the strip's pictures.
        settings: more lines of the daemon's configuration.
    """
    names = [f"cam-{number}" for number in range(cameras)]
    keeping = (
        "persistence true",
        "autosave_interval 1",
        "autosave_on_changes true",
        f"persistence_location {folder}/",
        "max_queued_messages 0",
    )
    scales = [
        f'[[camera]]\nid = "{name}"\nmm_per_px_along = {MM_PER_ROW}\nmm_per_px_across = 0.5'
        for name in names
    ]
    pictures = draw_pictures(folder, seed=seed)
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder, *keeping))
        plant = stack.enter_context(Plant(broker.port, TOPICS))
        proxy = stack.enter_context(Proxy(broker.port))
        daemon = stack.enter_context(SoakedDaemon(folder, *scales, *settings, mqtt_url=proxy.url))
        sending = [
            stack.enter_context(
                Camera(name, daemon.frames, pictures=pictures, period_s=1 / frames_per_s)
            )
            for name in names
        ]
        yield Line(folder, broker, proxy=proxy, plant=plant, daemon=daemon, cameras=sending)
