"""What a process listens on, as /proc tells it (proc_pid_net(5), proc_pid_fd(5))."""

import os
import re
from pathlib import Path

_LISTENS_TCP = "0A"


def listens_on(pid: int) -> frozenset[int | str] | None:
    """TCP ports, and paths of sockets that are files; None where we may not look.

    Args:
        pid: of a process; root may look at each, others at their own.
    """
    root = Path(f"/proc/{pid}")
    try:
        inodes = {_inode(link) for link in (root / "fd").iterdir()}
        found = {port for name in ("tcp", "tcp6") for port in _ports(root / "net" / name, inodes)}
        return frozenset(found | _paths(root / "net" / "unix", inodes))
    except OSError:
        return None


def _inode(link: Path) -> str | None:
    try:
        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))  # noqa: PTH115 - it is no path
    except FileNotFoundError:  # closed meanwhile
        return None
    return match[1] if match else None


def _ports(table: Path, inodes: set[str | None]) -> set[int | str]:
    """Number, local address, remote address, state, ... and the inode in the tenth column."""
    if not table.exists():
        return set()
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return {
        int(row[1].rpartition(":")[2], 16)
        for row in rows
        if row[3] == _LISTENS_TCP and row[9] in inodes
    }


def _paths(table: Path, inodes: set[str | None]) -> set[int | str]:
    """Inode and path in the seventh and eighth column."""
    rows = [line.split(maxsplit=7) for line in table.read_text().splitlines()[1:]]
    return {row[7] for row in rows if len(row) > 7 and row[6] in inodes}  # noqa: PLR2004 - has a path
