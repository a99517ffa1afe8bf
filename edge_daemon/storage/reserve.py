"""Room on the disk that is kept for the worst moment.

On a full disk SQLite can't even delete: the log has to grow first. So a file takes a MiB while
there is room, and gives it up when there is none; deleting and writing the log back then work.
"""

import os
from pathlib import Path
from typing import Final

_RESERVE_BYTES: Final = 1 << 20
_COMFORT_BYTES: Final = 4 << 20
_COMFORT_PART: Final = 8


class Reserve:
    """The file that takes the room.

    Args:
        database: for whom; the file lies beside it.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-reserve")

    def take(self) -> bool:
        """Take the room, where it isn't taken yet; return whether it is now."""
        try:
            if self._path.stat().st_blocks * 512 >= _RESERVE_BYTES:
                return True
        except OSError:
            pass
        try:
            disk = os.statvfs(self._path.parent)
            # A disk of a few MiB never has four free.
            comfort_bytes = min(_COMFORT_BYTES, disk.f_blocks * disk.f_frsize // _COMFORT_PART)
            if disk.f_bavail * disk.f_frsize < _RESERVE_BYTES + comfort_bytes:
                return False
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, _RESERVE_BYTES)
            finally:
                os.close(handle)
        except OSError:
            self.give()
            return False
        return True

    def give(self) -> None:
        """Give the room back to the disk."""
        try:
            os.truncate(self._path, 0)
        except OSError:
            return
