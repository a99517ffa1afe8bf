"""Errors, sorted by who has to act.

EdgeDaemonError
|-- ConfigurationError   the operator: mend the file; exit 78, systemd doesn't restart
|   `-- BundleError      the bundle on disk is not what its manifest says
|-- FrameError           nobody: this frame is counted, booked as not inspected, the line moves on
|-- SourceError          the caller of `replay` or `camera`: the source as a whole can't be used
|-- EndpointError        an address can't be had, or nobody is there; systemd tries again
|-- UnitError            the caller of `check --unit`: the service can't be looked at
|-- RecordingError       the caller: a recording can't be written or read
|-- StoreError           the disk: state can't be kept; alerts wait, nothing is announced
`-- EngineError          the process: leave, systemd starts it again, the gap is booked; exit 70, or
                         71 where it was the GPU (`edge_daemon.cuda.errors`)
"""

from enum import StrEnum

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ENGINE = 70
EXIT_CUDA = 71
EXIT_CONFIGURATION = 78


class EdgeDaemonError(Exception):
    """Root of every error that this package raises on purpose.

    Attributes:
        exit_code: of a process that it ends.
    """

    exit_code = EXIT_FAILED


class ConfigurationError(EdgeDaemonError):
    """The operator has to mend the configuration; the message says where and how."""

    exit_code = EXIT_CONFIGURATION


class BundleError(ConfigurationError):
    """A bundle is missing, incomplete, altered or of an unknown schema."""


class RejectReason(StrEnum):
    """Why a frame was refused: the closed set behind the metric's label `reason`."""

    PARTS = "parts"
    CAMERA_ID = "camera_id"
    UNKNOWN_CAMERA = "unknown_camera"
    IMPOSTOR = "impostor"
    HEADER_SIZE = "header_size"
    HEADER_JSON = "header_json"
    HEADER_FIELD = "header_field"
    VERSION = "version"
    PAYLOAD_SIZE = "payload_size"
    CRC32 = "crc32"
    DECODE = "decode"
    SEQUENCE = "sequence"
    DUPLICATE = "duplicate"
    STALE = "stale"
    DROPPED = "dropped"
    RATE = "rate"
    UNREADABLE = "unreadable"
    IMAGE_QUALITY = "image_quality"


class FrameError(EdgeDaemonError):
    """One frame can't be used.

    Attributes:
        reason: label for the counter and for the booking.
        detail: what was found and what was expected.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class EndpointError(EdgeDaemonError):
    """An address can't be had: wrong, taken, not there yet, or nobody answers there.

    At a start this is no fault of the configuration for sure: the one who holds the address may be
    about to leave, the network card about to come. So systemd tries again.
    """


class SourceError(EdgeDaemonError):
    """A replay or camera source can't be used at all."""


class UnitError(EdgeDaemonError):
    """A unit of systemd's can't be looked at."""


class RecordingError(EdgeDaemonError):
    """A recording can't be written, or what was read is not a recording of ours."""


class StoreError(EdgeDaemonError):
    """State can't be made durable; nothing may be announced until it can."""


class EngineError(EdgeDaemonError):
    """The network gave no trustworthy answer; nothing it said may count as clean."""

    exit_code = EXIT_ENGINE
