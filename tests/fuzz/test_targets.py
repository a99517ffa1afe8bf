"""Every seed of the fuzzers, and all that they ever found, without a fuzzer."""

import subprocess
import sys

import pytest

from tests.bad_input.test_properties import at_most_mib
from tests.fuzz.found import FOUND
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

MOST_MIB = 64


def test_every_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()
    assert FOUND.keys() <= TARGETS.keys()


@pytest.mark.parametrize("target", TARGETS)
def test_no_seed_is_a_finding(target: str) -> None:
    seeds = list(SEEDS[target]())
    assert seeds
    for seed in seeds:
        TARGETS[target](seed)


@pytest.mark.parametrize("target", FOUND)
def test_what_was_found_once_is_mended(target: str) -> None:
    for found in FOUND[target]:
        with at_most_mib(MOST_MIB):
            TARGETS[target](found)


def test_the_command_names_its_targets() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "nothing"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert all(target in refused.stderr for target in TARGETS)
