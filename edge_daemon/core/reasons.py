"""Closed sets of words that messages and metrics share."""

from enum import StrEnum


class NotInspectedReason(StrEnum):
    """Why a stretch of strip was not looked at: a closed set, also a metric's label."""

    LOST = "lost"
    REJECTED = "rejected"
    DECODE_ERROR = "decode_error"
    STALE = "stale"
    DROPPED = "dropped"
    ENGINE_FAULT = "engine_fault"
    DAEMON_RESTART = "daemon_restart"
    CAMERA_RESTART = "camera_restart"
    UNREADABLE = "unreadable"
    IMAGE_QUALITY = "image_quality"


class LossReason(StrEnum):
    """Why messages that were announced can't be sent any more: a closed set."""

    OUTBOX_FULL = "outbox_full"
    STATE_LOST = "state_lost"


class Severity(StrEnum):
    """How bad a defect is, from the bundle's class table."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"
