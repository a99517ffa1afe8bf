"""A control room with the station's alarms, and a clock."""

from collections.abc import Sequence

from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.alarms import SavedAlarm
from edge_daemon.core.messages import AlarmState, DurableBody
from edge_daemon.core.picture_quality import PictureFault

SECOND_NS = 1_000_000_000


class Room:
    """A panel and a clock; remembers what was told of each alarm."""

    def __init__(self, *cameras: str, saved: Sequence[SavedAlarm] = ()) -> None:
        self.second = 0.0
        self.kept: dict[str, SavedAlarm] = {}
        self.panel = AlarmPanel(
            cameras,
            silent_after_ns=30 * SECOND_NS,
            started_ns=0,
            saved=saved,
        )

    @property
    def monotonic_ns(self) -> int:
        return int(self.second * SECOND_NS)

    def note(self, *bodies: DurableBody) -> None:
        self.panel.note_facts(bodies, monotonic_ns=self.monotonic_ns)

    def frame(self, camera: str) -> None:
        self.panel.note_frame(camera, monotonic_ns=self.monotonic_ns)

    def picture(self, camera: str, unfit: PictureFault | None) -> None:
        self.panel.note_picture(camera, unfit, monotonic_ns=self.monotonic_ns)

    def look(self) -> dict[str, AlarmState]:
        """What is told now."""
        told, changed = self.panel.observe(now_ns=10**18, monotonic_ns=self.monotonic_ns)
        self.kept |= {alarm.name: alarm for alarm in changed}
        return {state.name: state for state in told}

    def restarted(self, *cameras: str) -> "Room":
        """The room after a restart of the daemon, in which these are configured."""
        return Room(*cameras, saved=[*self.kept.values()])

    def wait(self, seconds: float, *sending: str) -> dict[str, AlarmState]:
        """Look twice a second for so long, while these send; what was told last of each alarm."""
        told: dict[str, AlarmState] = {}
        for _ in range(int(seconds * 2)):
            self.second += 0.5
            for camera in sending:
                self.frame(camera)
            told |= self.look()
        return told
