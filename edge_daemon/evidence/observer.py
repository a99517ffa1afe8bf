"""Who watches evidence being kept: metrics."""

from enum import StrEnum
from typing import Protocol


class DropReason(StrEnum):
    """Why a frame of evidence was not kept: the closed set behind the metric's label `reason`."""

    SLOW = "slow"
    FULL = "full"
    TROUBLE = "trouble"
    TOO_LARGE = "too_large"


class EvidenceObserver(Protocol):
    """Who wants to know how evidence is kept; called on two threads, must not block."""

    def frame_kept(self) -> None:
        """A frame was written."""
        ...

    def frame_dropped(self, reason: DropReason) -> None:
        """A frame of evidence was not written."""
        ...

    def file_finished(self) -> None:
        """A file got its name."""
        ...

    def file_deleted(self) -> None:
        """An old file made room."""
        ...

    def folder_changed(self, size: int) -> None:
        """The folder holds so many bytes of evidence."""
        ...

    def trouble_changed(self, trouble: str | None) -> None:
        """Nothing can be kept, and why; None: it can again."""
        ...
