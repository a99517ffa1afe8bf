"""The station's alarms: what rings in the control room, and when it stops.

| name | rings when | until |
|---|---|---|
| `not-inspected` | rows were booked as not inspected | none have been for 10 s |
| `critical-defect` | a defect of a critical class was told | none has been for 10 s |
| `camera-silent` | a camera hasn't sent a good frame for a while | all cameras send again |
| `state-lost` | the books couldn't be read and were put aside at the start | the next start |
"""

from collections.abc import Iterable

from edge_daemon.core.alarms import Alarm, AlarmRule
from edge_daemon.core.messages import AlarmState, CoverageEvent, DefectEvent, DurableBody, Severity

_AT_ONCE = AlarmRule(on_delay_ns=0)
_HELD_NS = 1_000_000_000


class AlarmPanel:
    """Watches the facts go by and keeps the alarms; all times are monotonic ns.

    Args:
        cameras: ids from the configuration: these have to send from the start.
        silent_after_ns: how long a camera may be quiet.
        started_ns: when the daemon started.
        state_lost: where books went that couldn't be read; None is the rule.
    """

    def __init__(
        self,
        cameras: Iterable[str],
        *,
        silent_after_ns: int,
        started_ns: int,
        state_lost: str | None = None,
    ) -> None:
        self._state_lost = state_lost
        self._silent_after_ns = silent_after_ns
        self._last_frame_ns = dict.fromkeys(cameras, started_ns)
        self._seen: dict[str, tuple[int, str]] = {}
        self._alarms = {
            "not-inspected": Alarm("not-inspected", _AT_ONCE),
            "critical-defect": Alarm("critical-defect", _AT_ONCE),
            "camera-silent": Alarm("camera-silent", _AT_ONCE),
            "state-lost": Alarm("state-lost", _AT_ONCE),
        }

    def note_frame(self, camera: str, *, monotonic_ns: int) -> None:
        """A camera has sent a frame that it may send."""
        self._last_frame_ns[camera] = monotonic_ns

    def note_facts(self, bodies: Iterable[DurableBody], *, monotonic_ns: int) -> None:
        """Look through what is being told."""
        for body in bodies:
            if isinstance(body, CoverageEvent):
                text = f"{body.camera}: {body.lines} rows not inspected ({body.reason})"
                self._seen["not-inspected"] = (monotonic_ns, text)
            elif isinstance(body, DefectEvent) and body.severity is Severity.CRITICAL:
                text = f"{body.camera}: {body.class_name}, defect {body.defect_id}"
                self._seen["critical-defect"] = (monotonic_ns, text)

    def observe(self, *, now_ns: int, monotonic_ns: int) -> list[AlarmState]:
        """Let time pass; to be called about once a second.

        Args:
            now_ns: wall time, ns since 1970 UTC.
            monotonic_ns: monotonic time.

        Returns:
            Alarms whose state is to be told.
        """
        conditions = {
            name: (monotonic_ns - seen_ns < _HELD_NS, text)
            for name, (seen_ns, text) in self._seen.items()
        }
        silent = sorted(
            camera
            for camera, last_ns in self._last_frame_ns.items()
            if monotonic_ns - last_ns > self._silent_after_ns
        )
        conditions["camera-silent"] = (bool(silent), f"no frames from {', '.join(silent)}"[:500])
        lost = self._state_lost is not None
        conditions["state-lost"] = (lost, f"unreadable, put aside as {self._state_lost}"[:500])
        told = []
        for name, alarm in self._alarms.items():
            condition, text = conditions.get(name, (False, ""))
            self._alarms[name], state = alarm.observe(
                condition=condition, text=text, now_ns=now_ns, monotonic_ns=monotonic_ns
            )
            if state is not None:
                told.append(state)
        return told
