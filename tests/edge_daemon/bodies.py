"""Facts as the plant is told them, for tests to which any will do."""

from typing import Any

from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import CoverageEvent, DefectEvent
from edge_daemon.core.reasons import NotInspectedReason, Severity


def defect_event(**changed: Any) -> DefectEvent:  # noqa: ANN401 - whatever a defect takes
    """A scratch, but for what is changed."""
    fields: dict[str, Any] = {
        "defect_id": "d",
        "open": False,
        "camera": "top",
        "stream": "s",
        "class_id": 3,
        "class_name": "scratch",
        "severity": Severity.MAJOR,
        "score": 0.9,
        "first_line": 0,
        "last_line": 9,
        "left_px": 0,
        "width_px": 5,
        "area_px": 50,
        "captured_at": iso_utc(0),
        "bundle": "marks 1",
        **changed,
    }
    return DefectEvent(**fields)


def stretch(from_line: int = 0, coil: str | None = None) -> Announcement:
    """One row that nobody looked at."""
    return Announcement(
        CoverageEvent(
            camera="a",
            stream="s",
            coil=coil,
            reason=NotInspectedReason.LOST,
            from_line=from_line,
            to_line=from_line + 1,
            lines=1,
        )
    )
