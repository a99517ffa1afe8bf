"""File systems of a test's own: real mounts that fill up, turn read-only and fail.

They are made where the process may mount, as root may outside of most containers; elsewhere the
test is skipped and says so. However a test ends, they are gone afterwards.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LARGE, _SMALL = 1 << 18, 1 << 9
_LOOK_S = 0.05
_BELOW_MIB, _IMAGE_MIB = 48, 128
# From the kernel's include/uapi/linux/ext4.h.
_EXT4_IOC_SHUTDOWN = 0x8004587D
_NOTHING_MORE_TO_DISK = 2


@contextmanager
def mounted(place: Path, *options: str | Path) -> Iterator[Path]:
    """Mount something for as long as the block lasts.

    Args:
        place: where; it is made where it isn't there.
        options: of `mount`, without the place.
    """
    place.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("a file system of its own can only be mounted by root")
    done = subprocess.run(
        ["mount", *options, place],  # noqa: S607 - wherever it is
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily: what a dead daemon's files held goes when they do.
        subprocess.run(["umount", "-l", place], check=True)  # noqa: S607 - wherever it is


@contextmanager
def small_disk(place: Path, mib: int) -> Iterator[Path]:
    """Mount a disk of so many MiB, in memory."""
    with mounted(place, "-t", "tmpfs", "-o", f"size={mib}m", "none"):
        yield place


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Refuse all writing to files (EPERM), also by who has them open; ext4 does that."""
    subprocess.run(["chattr", "+i", *files], check=True)  # noqa: S607 - wherever it is
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)  # noqa: S607 - wherever it is


class Filler:
    """A file that takes all the room there is.

    Args:
        disk: whose.
    """

    def __init__(self, disk: Path) -> None:
        self._path = disk / "filler"

    def fill(self) -> None:
        """Take all that is free now, also what others have given back."""
        with self._path.open("ab", buffering=0) as file:
            for piece in (bytes(_LARGE), bytes(_SMALL)):
                try:
                    while file.write(piece):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def keep_full(self, seconds: float) -> None:
        """Take what becomes free, for so long."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.fill()
            time.sleep(_LOOK_S)

    def let_go(self) -> None:
        """Give all of it back."""
        self._path.unlink()


class FailingDisk:
    """An ext4 on a block device of its own, both of which can be made to fail.

    The device is a loop over a sparse file, and the file lies on a small disk in memory: once that
    is full, blocks that were written before can be written again, and others can't.

    Args:
        folder: for the disk and the file.
        options: of `mkfs.ext4`.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._below = folder / "below"
        self._image = self._below / "image"
        self._options = options
        self._filler = Filler(self._below)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Format it, for as long as the block lasts."""
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("mkfs.ext4 is not installed")
        with small_disk(self._below, _BELOW_MIB):
            self._image.touch()
            os.truncate(self._image, _IMAGE_MIB << 20)
            _run("mkfs.ext4", "-q", "-F", *self._options, self._image)
            yield

    @contextmanager
    def attached(self, place: Path, *options: str) -> Iterator[Path]:
        """Mount it."""
        with mounted(place, "-o", ",".join(("loop", *options)), self._image):
            yield place

    def refuse_writes(self) -> None:
        """From now on nothing can be written to the device where nothing was written before."""
        self._filler.fill()

    def take_writes(self) -> None:
        """Let the device take everything again."""
        with contextlib.suppress(FileNotFoundError):
            self._filler.let_go()

    def repair(self) -> None:
        """Mend what a failure has left, as an operator does; it must not be mounted."""
        self.take_writes()
        _run("fsck.ext4", "-f", "-y", self._image, mended=True)


def turn_read_only(place: Path) -> None:
    """Have an ext4 find a fault in itself: it refuses all writing (EROFS) until it is repaired."""
    number = place.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    trigger = Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
    if not trigger.exists():
        pytest.skip("this kernel has no trigger_fs_error for ext4")
    trigger.write_text("1")


def shut_down(place: Path) -> None:
    """Cut an ext4 off its disk: everything is EIO, and what wasn't synced is gone."""
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NOTHING_MORE_TO_DISK))
    finally:
        os.close(handle)


def _run(*command: str | Path, mended: bool = False) -> None:
    done = subprocess.run([*command], check=False, capture_output=True, text=True)
    assert done.returncode in ({0, 1} if mended else {0}), done.stdout + done.stderr
