"""The documents that outlive the process: `Facts.state` holds them, the outbox keeps them.

| key | what |
|---|---|
| `camera/ID` | a camera's books (`CoverageState`) |
| `coil/ID` | an open coil (`CoilState`) |
| `open/ID` | a defect that was told as open (`DefectEvent`) |
| `alarm/NAME` | an alarm, whom it concerns included (`SavedAlarm`) |
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from edge_daemon.core.alarms import SavedAlarm
from edge_daemon.core.coils import CoilState
from edge_daemon.core.messages import DefectEvent, DurableBody

CAMERA, COIL, OPEN, ALARM = "camera/", "coil/", "open/", "alarm/"

_Document = TypeVar("_Document", bound=BaseModel)


def read(model: type[_Document], text: str) -> _Document | None:
    """A document from before a restart; one of another version is as good as none."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def saved_coils(saved: Mapping[str, str]) -> Iterable[CoilState]:
    """Coils that were open."""
    return _read_all(CoilState, COIL, saved)


def saved_alarms(saved: Mapping[str, str]) -> Sequence[SavedAlarm]:
    """Alarms as they were."""
    return _read_all(SavedAlarm, ALARM, saved)


def open_defects(bodies: Sequence[DurableBody]) -> dict[str, str | None]:
    """Documents of defects that were told as open and have not ended."""
    return {
        OPEN + body.defect_id: body.model_dump_json(by_alias=True) if body.open else None
        for body in bodies
        if isinstance(body, DefectEvent)
    }


def alarms(changed: Iterable[SavedAlarm]) -> dict[str, str | None]:
    """Documents of alarms that have changed."""
    return {ALARM + alarm.name: alarm.model_dump_json() for alarm in changed}


def _read_all(model: type[_Document], prefix: str, saved: Mapping[str, str]) -> list[_Document]:
    documents = [read(model, text) for key, text in saved.items() if key.startswith(prefix)]
    return [document for document in documents if document is not None]
