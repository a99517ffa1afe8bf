from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.booted.line import Line
from tests.booted.machine import Machine, NoMachineError


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for all tests: it takes half a minute to make."""
    folder: Path = tmp_path_factory.mktemp("machine")
    booted = Machine(folder)
    try:
        booted.__enter__()  # a `with` would take the errors of the tests for its own
    except NoMachineError as reason:
        pytest.skip(f"no machine can be booted: {reason}")
    try:
        yield booted
    finally:
        booted.__exit__(None, None, None)


@pytest.fixture
def line(machine: Machine) -> Iterator[Line]:
    """The service as it was just installed, with nothing on its books, and stopped."""
    line = Line(machine)
    line.reset()
    yield line
    line.reset()
