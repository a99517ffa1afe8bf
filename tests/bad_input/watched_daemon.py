"""A daemon with two cameras, and what a test wants to know of its process."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from tests.bad_input.cases import BAD, GOOD, Refusals, Rows
from tests.bad_input.quick_bundle import write_quick_bundle
from tests.edge_daemon.conftest import DaemonProcess, Scrape

MAX_PAYLOAD_MIB = 32
_QUEUE_MIB = 64
_CAMERAS = "\n".join(
    f'[[camera]]\nid = "{camera}"\nmm_per_px_along = 0.5\nmm_per_px_across = 0.5'
    for camera in (BAD, GOOD)
)


class WatchedDaemon(DaemonProcess):
    """Keeps every frame however long it waits, so that each can be accounted for."""

    def __init__(self, folder: Path) -> None:
        bundle = write_quick_bundle(folder / "bundle")
        repeats = ["[image]", "frozen = false"]  # a case may send one picture under many headers
        super().__init__(folder, *repeats, "[bundle]", f'path = "{bundle}"', _CAMERAS)
        limits = f"max_payload_mib = {MAX_PAYLOAD_MIB}\nqueue_mib = {_QUEUE_MIB}\n"
        limits += 'max_frames_per_s = 1e6\ndrop_policy = "block"'
        self.config.write_text(self.config.read_text().replace("max_age_s = 60", limits))

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def most_rss_mib(self) -> float:
        """The most memory it ever had at a time."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024

    @property
    def descriptors(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def refusals(scrape: Scrape, cameras: Iterable[str]) -> Refusals:
    """Refused frames of these cameras by camera and reason."""
    name = "frames_rejected_total"
    return Counter(
        {
            (camera, reason): int(count)
            for camera in cameras
            for reason in RejectReason
            if (count := scrape.total(name, camera=camera, reason=reason))
        }
    )


def booked_rows(scrape: Scrape, camera: str) -> Rows:
    """Rows that nobody looked at, by reason."""
    name = "lines_not_inspected_total"
    return Counter(
        {
            reason: int(count)
            for reason in NotInspectedReason
            if (count := scrape.total(name, camera=camera, reason=reason))
        }
    )
