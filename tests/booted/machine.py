"""A machine with systemd as process 1: this computer's files in a container, the service installed.

The container's root is an overlay over this computer's own, in memory: what is written there is
gone afterwards. It has a network of its own. It wants root, systemd-nspawn and overlayfs.
"""

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

REPOSITORY: Final = Path(__file__).parents[2]
PROGRAM: Final = "/opt/edge-daemon/bin/edge-daemon"
_SOURCE: Final = "usr/src/edge-daemon"
_BOOT_S: Final = 60.0
_LEAVE_S: Final = 30.0
_INSTALL_S: Final = 600.0


class NoMachineError(Exception):
    """None can be booted here, and why."""


class Machine:
    """The container, from `__enter__` to `__exit__`.

    Args:
        folder: an empty one, to mount in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exits = ExitStack()
        self._leader = 0
        self.root = folder / "root"

    def __enter__(self) -> Self:
        """Boot.

        Raises:
            NoMachineError: this computer doesn't allow for it.
        """
        if os.geteuid() != 0:
            raise NoMachineError("needs root")
        if missing := [p for p in ("systemd-nspawn", "nsenter") if not shutil.which(p)]:
            raise NoMachineError(f"{', '.join(missing)} is not installed")
        asked = subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], check=False)
        if asked.returncode != 0:
            raise NoMachineError("python3-venv is not installed")
        with ExitStack() as exits:
            self._mount(exits)
            self._install()
            self._boot(exits)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exits.close()

    def run(self, *command: str, within_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine, as root."""
        enter = ["nsenter", "--target", str(self._leader), "--all", "--root", "--wd", "--"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, check=False, timeout=within_s
        )

    def ask(self, *command: str) -> str:
        """Run a command that has to succeed and return what it prints."""
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def shows(self, unit: str, name: str) -> str:
        """What systemd says of a unit."""
        return self.ask("systemctl", "show", f"--property={name}", "--value", unit)

    def journal(self, unit: str) -> str:
        """All that the unit has said, and systemd of it, since the machine was booted."""
        return self.ask("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Put a file into the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def remove(self, path: str) -> None:
        """Take a folder or a file away, if it is there."""
        place = self.root / path.lstrip("/")
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def _mount(self, exits: ExitStack) -> None:
        """The overlay; what it gathers lies in memory, beside the root that it is laid over."""
        memory = self._folder / "memory"
        for folder in (memory, self.root):
            folder.mkdir()
        _mount("tmpfs", memory, "size=3g,mode=755", exits)
        for name in ("upper", "work"):
            (memory / name).mkdir()
        layers = f"lowerdir=/,upperdir={memory}/upper,workdir={memory}/work"
        _mount("overlay", self.root, layers, exits)

    def _install(self) -> None:
        """`make install`, as the documentation has it, before the machine is booted."""
        leave_out = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "runs")
        for folder in ("etc/edge-daemon", "opt/edge-daemon", "var/lib/edge-daemon", _SOURCE):
            self.remove(folder)
        shutil.copytree(REPOSITORY, self.root / _SOURCE, ignore=leave_out)
        self.write("/etc/machine-id", "")
        install = ["make", "--silent", f"--directory=/{_SOURCE}", "install"]
        done = subprocess.run(
            [*self._nspawn(), "--pipe", *install],
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_S,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0 and not (self.root / "opt/edge-daemon").exists():
            raise NoMachineError(f"no container can be started: {done.stderr.strip()}")
        assert done.returncode == 0, done.stdout + done.stderr

    def _boot(self, exits: ExitStack) -> None:
        # Nothing of this computer's own services: what is tested starts what it needs.
        process = subprocess.Popen(
            [
                *self._nspawn(),
                "--boot",
                "--console=pipe",
                "--private-network",
                "systemd.unit=basic.target",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        exits.callback(_halt, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline_s = time.monotonic() + _BOOT_S
        while not self._has_booted(children):
            assert process.poll() is None, f"the container ended with {process.returncode}"
            assert time.monotonic() < deadline_s, "systemd did not come up"
            time.sleep(0.2)

    def _has_booted(self, children: Path) -> bool:
        if not (leaders := children.read_text().split()):
            return False
        self._leader = int(leaders[0])
        return self.run("systemctl", "is-active", "--quiet", "basic.target").returncode == 0

    def _nspawn(self) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            f"--directory={self.root}",
            "--hostname=mill",
        ]


def _mount(kind: str, where: Path, options: str, exits: ExitStack) -> None:
    mount = ["mount", "-t", kind, "-o", options, kind, str(where)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMachineError(f"{kind} can't be mounted: {done.stderr.strip()}")
    # "-l": a process that is still there mustn't keep the tests from leaving.
    exits.callback(subprocess.run, ["umount", "-l", str(where)], check=False)


def _halt(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
