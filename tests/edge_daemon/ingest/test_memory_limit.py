import itertools
import subprocess
import sys

import pytest

from edge_daemon.ingest.memory_limit import (
    MemoryLimit,
    MemoryLimitError,
    allowed_bytes,
    resident_bytes,
)

MIB = 2**20
LOOK_NS = 100_000_000


def test_more_than_allowed_is_an_error_that_says_how_much() -> None:
    held = [10 * MIB]
    limit = MemoryLimit(100 * MIB, resident=lambda: held[0])
    limit.check(0)
    held[0] = 101 * MIB
    with pytest.raises(MemoryLimitError, match=r"holds 101 MiB, 100 at most.*max_process_mib"):
        limit.check(LOOK_NS)


def test_it_looks_ten_times_a_second_at_most() -> None:
    looks = itertools.count()
    limit = MemoryLimit(MIB, resident=lambda: next(looks))
    for now_ns in range(0, 10 * LOOK_NS, LOOK_NS // 10):
        limit.check(now_ns)
    assert next(looks) == 10


def test_what_the_process_holds_grows_with_what_it_takes() -> None:
    program = (
        "from edge_daemon.ingest.memory_limit import resident_bytes\n"
        "before = resident_bytes(); block = b'x' * 2**26; print(resident_bytes() - before)"
    )
    grown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 0.9 * 2**26 < int(grown.stdout) < 1.5 * 2**26


def test_the_configured_limit_comes_first_and_the_default_is_below_the_machines() -> None:
    assert allowed_bytes(300) == 300 * MIB
    with open("/proc/meminfo") as file:  # noqa: PTH123 - read as the kernel writes it
        total = int(file.readline().split()[1]) * 1024
    assert resident_bytes() < allowed_bytes(None) <= 0.8 * total
