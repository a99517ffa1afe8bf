"""The station's alarms: what rings in the control room, and when it stops.

| name | rings when | until |
|---|---|---|
| `not-inspected` | rows were booked as not inspected | none have been for 10 s |
| `critical-defect` | a defect of a critical class was told | none has been for 10 s |
| `camera-silent` | a camera hasn't sent a good frame for a while | all cameras send again |
| `camera-doubled` | two streams of a camera have sent in turns for 45 s | none have for 40 s |
| `image-quality` | a camera's pictures are bad for 2 s | they have been good for 10 s |
| `state-lost` | books couldn't be read whole and were put aside | the next start |
| `evidence` | the frames around defects can't be kept | they can again |

The alarms whose name begins with `camera` or `image` know which cameras they concern: one more of
them rings again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from edge_daemon.core.alarms import THE_STATION, Alarm, AlarmRule, SavedAlarm
from edge_daemon.core.messages import AlarmState, CoverageEvent, DefectEvent, DurableBody
from edge_daemon.core.picture_quality import PictureFault
from edge_daemon.core.reasons import Severity

_AT_ONCE = AlarmRule(on_delay_ns=0)
_HELD_NS = 1_000_000_000
_DOUBLED_HELD_NS = 30_000_000_000
_DOUBLED = AlarmRule(on_delay_ns=45_000_000_000)
"""Longer than it is held: one late frame of a camera that was started anew doesn't ring."""
_UNFIT_FOR_NS = 60_000_000_000
"""After so long without a frame a camera is silent, whatever its last picture was like."""


class AlarmPanel:
    """Watches the facts go by and keeps the alarms; all times are monotonic ns.

    Args:
        cameras: ids from the configuration: these have to send from the start.
        silent_after_ns: how long a camera may be quiet.
        started_ns: when the daemon started.
        saved: the alarms as they were before a restart. Who was silent then still is, until a
            frame comes; but not who isn't configured, where others are.
    """

    def __init__(
        self,
        cameras: Iterable[str],
        *,
        silent_after_ns: int,
        started_ns: int,
        saved: Sequence[SavedAlarm] = (),
    ) -> None:
        before = {alarm.name: alarm for alarm in saved}
        self._silent_after_ns = silent_after_ns
        self._last_frame_ns: dict[str, int | None] = dict.fromkeys(cameras, started_ns)
        self._last_frame_ns |= _silent_before(before, among=self._last_frame_ns)
        self._seen: dict[str, tuple[int, str]] = {}
        self._doubled_until_ns: dict[str, int] = {}
        self._unfit: dict[str, tuple[int, PictureFault]] = {}
        self._troubles: Mapping[str, str | None] = {}
        rules = {
            "not-inspected": _AT_ONCE,
            "critical-defect": _AT_ONCE,
            "camera-silent": _AT_ONCE,
            "camera-doubled": _DOUBLED,
            "image-quality": AlarmRule(),
            "state-lost": _AT_ONCE,
            "evidence": AlarmRule(),
        }
        self._alarms = {
            name: Alarm.restored(before[name], rule) if name in before else Alarm(name, rule)
            for name, rule in rules.items()
        }

    def note_frame(self, camera: str, *, monotonic_ns: int) -> None:
        """A camera has sent a frame that it may send."""
        self._last_frame_ns[camera] = monotonic_ns

    def note_picture(self, camera: str, unfit: PictureFault | None, *, monotonic_ns: int) -> None:
        """A camera's picture was looked at, or was not fit for it."""
        if unfit is None:
            self._unfit.pop(camera, None)
        else:
            self._unfit[camera] = (monotonic_ns, unfit)

    def note_resumed(self, camera: str, *, monotonic_ns: int) -> None:
        """A stream of a camera goes on that had ended with a later start of the camera."""
        self._doubled_until_ns[camera] = monotonic_ns + _DOUBLED_HELD_NS

    def note_troubles(self, troubles: Mapping[str, str | None]) -> None:
        """What other parts complain of: `state-lost` and `evidence`, None where all is well."""
        self._troubles = troubles

    def note_facts(self, bodies: Iterable[DurableBody], *, monotonic_ns: int) -> None:
        """Look through what is being told."""
        for body in bodies:
            if isinstance(body, CoverageEvent):
                text = f"{body.camera}: {body.lines} rows not inspected ({body.reason})"
                self._see("not-inspected", text, until_ns=monotonic_ns + _HELD_NS)
            elif isinstance(body, DefectEvent) and body.severity is Severity.CRITICAL:
                text = f"{body.camera}: {body.class_name}, defect {body.defect_id}"
                self._see("critical-defect", text, until_ns=monotonic_ns + _HELD_NS)

    def _see(self, name: str, text: str, *, until_ns: int) -> None:
        self._seen[name] = (until_ns, text)

    def observe(
        self, *, now_ns: int, monotonic_ns: int
    ) -> tuple[list[AlarmState], list[SavedAlarm]]:
        """Let time pass; to be called about once a second.

        Args:
            now_ns: wall time, ns since 1970 UTC.
            monotonic_ns: monotonic time.

        Returns:
            Alarms whose state is to be told, and those to be kept for after a restart.
        """
        seen = self._look(monotonic_ns)
        told, changed = [], []
        for name, before in self._alarms.items():
            alarm, state = before.observe(
                seen.get(name, {}), now_ns=now_ns, monotonic_ns=monotonic_ns
            )
            self._alarms[name] = alarm
            if state is not None:
                told.append(state)
            if alarm.reached != before.reached:
                changed.append(alarm.saved)
        return told, changed

    def _look(self, monotonic_ns: int) -> dict[str, dict[str, str]]:
        """Of each alarm, whom it should concern and what is to be said of them."""
        self._doubled_until_ns = {
            camera: until_ns
            for camera, until_ns in self._doubled_until_ns.items()
            if monotonic_ns < until_ns
        }
        self._unfit = {
            camera: (last_ns, kind)
            for camera, (last_ns, kind) in self._unfit.items()
            if monotonic_ns - last_ns < _UNFIT_FOR_NS
        }
        station = {
            name: text for name, (until_ns, text) in self._seen.items() if monotonic_ns < until_ns
        }
        station |= {name: text for name, text in self._troubles.items() if text is not None}
        return {
            **{name: {THE_STATION: text} for name, text in station.items()},
            "camera-silent": {
                camera: f"{camera}: no frames"
                for camera, last_ns in sorted(self._last_frame_ns.items())
                if last_ns is None or monotonic_ns - last_ns > self._silent_after_ns
            },
            "camera-doubled": {
                camera: f"{camera}: two streams send in turns; do two cameras have this id?"
                for camera in self._doubled_until_ns
            },
            "image-quality": {
                camera: f"{camera}: {kind}" for camera, (_, kind) in self._unfit.items()
            },
        }


def _silent_before(
    before: Mapping[str, SavedAlarm], *, among: Collection[str]
) -> dict[str, int | None]:
    """Cameras that were told as silent: without this a restart would call the dead ones alive."""
    alarm = before.get("camera-silent")
    if alarm is None or not alarm.active:
        return {}
    return {camera: None for camera in alarm.concerned if not among or camera in among}
