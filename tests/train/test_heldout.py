"""Held-out sets follow from the run alone, and kept answers are used only where they still hold."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edge_daemon.simulation.strips import draw_strip
from models.config import EncoderUnetConfig
from models.network import SteelNet, build_network
from train.config import RunConfig
from train.data.split import Split
from train.heldout import LEVELS, answers, held_out, simulated_set
from train.judging.validation import predict
from train.runs import CLEAN_STRETCHES, SIMULATED, VALIDATION, RunFolder

HELD_OUT_NAMES = tuple(f"{n:03d}.jpg" for n in range(8))


@pytest.fixture
def run(tmp_path: Path, tiny_run: RunConfig) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.begin(tiny_run, Split(tuple(f"{n:03d}.jpg" for n in range(8, 12)), HELD_OUT_NAMES))
    return run


@pytest.fixture(scope="module")
def network() -> SteelNet:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return build_network(EncoderUnetConfig(decoder_channels=(8, 8)))


def test_the_held_out_sets_are_the_same_each_time(run: RunFolder) -> None:
    first, second = held_out(run), held_out(run)
    for name in (VALIDATION, CLEAN_STRETCHES):
        assert first.sets[name].names == second.sets[name].names
        assert np.array_equal(first.groups[name], second.groups[name])
        pairs = zip(first.sets[name].images, second.sets[name].images, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_the_real_strips_are_those_that_the_split_holds_out(run: RunFolder) -> None:
    assert held_out(run).sets[VALIDATION].names == HELD_OUT_NAMES


def test_clean_strips_are_made_of_pixels_of_their_own_group(run: RunFolder) -> None:
    strips = held_out(run)
    clean, real = strips.sets[CLEAN_STRETCHES], strips.sets[VALIDATION]
    assert len(clean) > 0
    assert len(set(clean.names)) == len(clean)
    for image, class_map, group in zip(
        clean.images, clean.classes, strips.groups[CLEAN_STRETCHES], strict=True
    ):
        assert not class_map.any()
        sources = [real.images[n] for n in np.flatnonzero(strips.groups[VALIDATION] == group)]
        for column in (0, image.shape[1] - 1):
            assert any((one == image[:, column : column + 1]).all(axis=0).any() for one in sources)


def test_a_run_without_simulated_strips_is_not_judged_on_any(tiny_run: RunConfig) -> None:
    assert set(simulated_set(tiny_run, draw_strip, count=2)) == {SIMULATED}
    data = tiny_run.data.model_copy(update={"simulated_strips": 0})
    assert not simulated_set(tiny_run.model_copy(update={"data": data}), draw_strip, count=2)


def test_the_network_runs_only_once_for_the_same_strips(run: RunFolder, network: SteelNet) -> None:
    strips = held_out(run).sets[VALIDATION].rows([0, 1])
    told: list[str] = []
    first = answers(run, network, VALIDATION, strips, tell=told.append)
    second = answers(run, network, VALIDATION, strips, tell=told.append)
    assert len(told) == 1
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    fresh = predict(network, strips.images)
    assert np.abs(np.stack(fresh) - np.stack(first)).max() <= 0.5 / LEVELS + 1e-6


def test_other_weights_or_other_strips_are_not_answered_from_the_folder(
    run: RunFolder, network: SteelNet
) -> None:
    strips = held_out(run).sets[VALIDATION]
    told: list[str] = []
    answers(run, network, VALIDATION, strips.rows([0]), tell=told.append)
    answers(run, network, VALIDATION, strips.rows([1]), tell=told.append)
    other = build_network(EncoderUnetConfig(decoder_channels=(8, 8)))
    answers(run, other, VALIDATION, strips.rows([1]), tell=told.append)
    assert len(told) == 3


def test_a_damaged_file_is_made_anew(run: RunFolder, network: SteelNet) -> None:
    strips = held_out(run).sets[VALIDATION].rows([0])
    before = answers(run, network, VALIDATION, strips, tell=lambda _: None)
    path = run.path / f"predictions.{VALIDATION}.npz"
    path.write_bytes(path.read_bytes()[:-40])
    told: list[str] = []
    after = answers(run, network, VALIDATION, strips, tell=told.append)
    assert len(told) == 1
    assert np.array_equal(before[0], after[0])
