"""How values read on the page.

Names come from files and cameras, and may hold anything: all text goes through `text`.
"""

import html
import re
from datetime import UTC, datetime, timedelta

from edge_daemon.report.tally import LOST

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_2000_NS = 946_684_800_000_000_000
_YEAR_9999_NS = 253_370_764_800_000_000_000
_MM_PER_M = 1000.0
_PERCENT = 100.0

_REASONS = {
    LOST: "never came: the camera's frame numbers jump",
    "unreadable": "a file, or a part of a recording, can't be read",
    "decode": "the image is damaged",
    "decode_error": "the image is damaged",
    "crc32": "damaged on its way: wrong checksum",
    "payload_size": "the payload has another size than announced",
    "stale": "it waited too long",
    "dropped": "too many frames waited",
    "engine_fault": "the network failed",
    "image_quality": "the picture is black, white, frozen or blurred",
    "rate": "the camera sent too many frames a second",
    "rejected": "refused",
    "impostor": "another camera's key spoke for it",
    "unknown_camera": "the camera is not in the configuration",
    "sequence": "its frame number goes backwards",
    "duplicate": "it came a second time",
    "parts": "not a frame: wrong number of parts",
    "camera_id": "the camera id is none",
    "version": "another version of the frame format",
    "header_size": "the header is too long",
    "header_json": "the header is no JSON",
    "header_field": "a header field is wrong",
}


def text(value: object) -> str:
    """Anything as text that means nothing to a browser."""
    return html.escape(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def name(value: str) -> str:
    """A file's name, kept from turning the text around it."""
    return f"<bdi>{text(value)}</bdi>"


def metres(position_mm: float | None) -> str:
    """A position along the strip, empty where it isn't known."""
    return "" if position_mm is None else f"{position_mm / _MM_PER_M:.3f} m"


def share(part: int, whole: int) -> str:
    """A percentage that says 100 and 0 only where it is exactly so."""
    if whole == 0:
        return "0 %"
    percent = _PERCENT * part / whole
    if part in (0, whole):
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.1), 99.9):.1f} %"


def reason_words(reason: str) -> str:
    """What a reason means; an unknown one stands for itself."""
    return _REASONS.get(reason, reason.replace("_", " "))


def moment(t_ns: int | None) -> str:
    """UTC with milliseconds; empty for times that a folder of images was given."""
    if t_ns is None or not _YEAR_2000_NS <= t_ns <= _YEAR_9999_NS:
        return ""
    at = _EPOCH + timedelta(microseconds=t_ns // 1000)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
