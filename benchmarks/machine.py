"""What a measurement was made on: without it a ratio can't be repeated."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_MODEL = "model name"


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, how busy it was, and versions.

    Attributes:
        cpu: model as the kernel names it.
        cores: that this process may use.
        load: processes that wanted a core over the last minute, when the measurement began.
        python: version.
        versions: of the packages that took part.
    """

    cpu: str
    cores: int
    load: float
    python: str
    versions: dict[str, str]

    def __str__(self) -> str:
        """Two lines for people."""
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores, load {self.load:.1f} at the start\n"
            f"Python {self.python}, {packages}"
        )


def describe_machine(packages: Sequence[str]) -> Machine:
    """Look at this machine and at some installed packages; one that is missing says so."""
    return Machine(
        cpu=_cpu_model(),
        cores=available_cores(),
        load=os.getloadavg()[0],
        python=platform.python_version(),
        versions={name: _version(name) for name in packages},
    )


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _cpu_model() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == _MODEL:
                return value.strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
