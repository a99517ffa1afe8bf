"""The coils on the line: when each begins, when it is done, and what was found on it.

Several cameras see a coil at different moments. It begins with the first frame that names it and is
done when every camera that has seen it sees another one. No more than two are open: when a third
begins, the oldest is closed, so that a camera that fell silent can't hold a coil open for ever.

Rows that were never announced are in no count: those of a camera that never sent, or that fell
silent within the coil. Such a coil is not complete, however good its coverage.
"""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import CoilEvent

OPEN_COILS = 2


class CoilState(BaseModel):
    """What is known of a coil so far; survives a crash.

    Attributes:
        coil: its id.
        begun_ns: exposure of the first frame that named it, ns since 1970 UTC.
        from_mm: position of that frame along the strip, where known.
        to_mm: position just past the last frame, where known.
        cameras: cameras that have seen it.
        present: those of them that see it now.
        lines_inspected: rows of all cameras.
        lines_not_inspected: rows of all cameras that nobody looked at.
        torn: rows are missing and nobody knows how many are its own: where it meets another coil,
            where a camera was started anew, was away, or was not seen to leave.
        defects: number by class name.
        severities: number by severity.
    """

    model_config = ConfigDict(extra="forbid")

    coil: str
    begun_ns: int
    from_mm: float | None
    to_mm: float | None = None
    cameras: set[str] = set()
    present: set[str] = set()
    lines_inspected: int = 0
    lines_not_inspected: int = 0
    torn: bool = False
    defects: dict[str, int]
    severities: dict[str, int]


class CoilBook:
    """The coils that are open, oldest first.

    Args:
        classes: what is counted.
        saved: coils from before a restart.
        expected: cameras that have to see all of each coil, by id; none: those that see it.
    """

    def __init__(
        self,
        classes: Iterable[DefectClass],
        saved: Iterable[CoilState] = (),
        *,
        expected: Iterable[str] = (),
    ) -> None:
        self._class_names = [c.name for c in classes]
        self._expected = frozenset(expected)
        self._open = {state.coil: state for state in sorted(saved, key=lambda s: s.begun_ns)}

    @property
    def open_coils(self) -> tuple[CoilState, ...]:
        """Coils that are not done."""
        return tuple(self._open.values())

    def get(self, coil: str | None) -> CoilState | None:
        """The open coil of that id."""
        return None if coil is None else self._open.get(coil)

    def enter(
        self,
        camera: str,
        coil: str | None,
        *,
        t_ns: int,
        position_mm: float | None,
        goes_on: bool = False,
    ) -> list[CoilEvent]:
        """Note which coil a camera sees now.

        Args:
            camera: its id.
            coil: what its frame names, None between coils.
            t_ns: exposure of the frame, ns since 1970 UTC.
            position_mm: of the frame along the strip, where known.
            goes_on: the camera's frame before named the same coil.

        Returns:
            Coils that are done by that, then the one that begins by it.
        """
        known = self.get(coil)
        if known is not None and camera in known.present:
            return []
        for state in self._open.values():
            state.present.discard(camera)
        events: list[CoilEvent] = []
        if coil is not None and known is None:
            known = self._begin(coil, t_ns=t_ns, position_mm=position_mm)
            events.append(_begun(known))
        if known is not None:
            # It was done while the camera was in it, or the camera was away in between.
            known.torn |= goes_on or camera in known.cameras
            known.cameras.add(camera)
            known.present.add(camera)
        surplus = [s.coil for s in self.open_coils[:-OPEN_COILS]]
        left = [s.coil for s in self.open_coils if not s.present or s.coil in surplus]
        self.tear(*(s.coil for s in self.open_coils if s.present and s.coil in surplus))
        return [self._finish(name, t_ns) for name in left] + events

    def book_lines(self, coil: str | None, *, inspected: int = 0, not_inspected: int = 0) -> None:
        """Count rows of a coil; rows of a coil that isn't open are nobody's."""
        state = self.get(coil)
        if state is not None:
            state.lines_inspected += inspected
            state.lines_not_inspected += not_inspected

    def retract_lines(
        self, camera: str, coil: str | None, *, inspected: int = 0, not_inspected: int = 0
    ) -> None:
        """Take back what a camera booked.

        A coil may have been done and begun again since; then no more is taken than it has, and what
        is booked instead makes its coverage look worse than it is, never better.
        """
        state = self.get(coil)
        if state is not None and camera in state.cameras:
            state.lines_inspected -= min(inspected, state.lines_inspected)
            state.lines_not_inspected -= min(not_inspected, state.lines_not_inspected)

    def book_defect(self, coil: str | None, class_name: str, *, severity: str) -> None:
        """Count a defect that has ended."""
        state = self.get(coil)
        if state is not None:
            state.defects[class_name] = state.defects.get(class_name, 0) + 1
            state.severities[severity] += 1

    def extend(self, coil: str | None, to_mm: float | None) -> None:
        """Note how far a coil was seen."""
        state = self.get(coil)
        if state is not None and to_mm is not None:
            state.to_mm = to_mm if state.to_mm is None else max(state.to_mm, to_mm)

    def tear(self, *coils: str | None) -> None:
        """Note that rows of these coils are missing, nobody knows how many."""
        for coil in coils:
            state = self.get(coil)
            if state is not None:
                state.torn = True

    def close_all(self, t_ns: int) -> list[CoilEvent]:
        """End every coil: the input is over, and cameras that are in a coil saw it to the end."""
        return [self._finish(coil, t_ns) for coil in list(self._open)]

    def _begin(self, coil: str, *, t_ns: int, position_mm: float | None) -> CoilState:
        state = CoilState(
            coil=coil,
            begun_ns=t_ns,
            from_mm=position_mm,
            defects=dict.fromkeys(self._class_names, 0),
            severities={"minor": 0, "major": 0, "critical": 0},
        )
        self._open[coil] = state
        return state

    def _finish(self, coil: str, t_ns: int) -> CoilEvent:
        state = self._open.pop(coil)
        return _done(state, t_ns, all_took_part=self._expected <= state.cameras)


def _begun(state: CoilState) -> CoilEvent:
    return CoilEvent(
        state="begun", coil=state.coil, begun_at=iso_utc(state.begun_ns), from_mm=state.from_mm
    )


def _done(state: CoilState, t_ns: int, *, all_took_part: bool) -> CoilEvent:
    has_all_rows = all_took_part and not state.torn
    lines = state.lines_inspected + state.lines_not_inspected
    return CoilEvent(
        state="done",
        coil=state.coil,
        begun_at=iso_utc(state.begun_ns),
        done_at=iso_utc(t_ns),
        from_mm=state.from_mm,
        to_mm=state.to_mm,
        cameras=len(state.cameras),
        lines_inspected=state.lines_inspected,
        lines_not_inspected=state.lines_not_inspected,
        coverage=state.lines_inspected / lines if lines else 0.0,
        complete=has_all_rows and lines > 0 and state.lines_not_inspected == 0,
        defects=sum(state.defects.values()),
        defects_minor=state.severities["minor"],
        defects_major=state.severities["major"],
        defects_critical=state.severities["critical"],
        **{f"defects_{name}": count for name, count in state.defects.items()},
    )
