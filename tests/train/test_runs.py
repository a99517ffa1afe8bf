"""A run's folder: what was kept is read back, and what lacks is asked for by its verb."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train.config import RunConfig
from train.runs import RunError, RunFolder, find_runs, provisional_classes
from train.scoring import PixelCounts, score
from train.split import Split

SPLIT = Split(("a.jpg",), ("b.jpg", "c.jpg"))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "one")
    run.begin(RunConfig(seed=9), SPLIT)
    return run


def test_configuration_and_split_are_read_back(run: RunFolder) -> None:
    assert run.config() == RunConfig(seed=9)
    assert run.split() == SPLIT


def test_classes_are_read_back(run: RunFolder) -> None:
    classes = [replace(one, min_area_px=one.id * 100) for one in provisional_classes()]
    run.write_classes(classes)
    assert run.classes() == tuple(classes)


def test_scores_are_read_back(run: RunFolder) -> None:
    pixels = np.array([[10, 0, 0, 0], [0, 0, 0, 0]])
    measured = {"validation": score(PixelCounts(pixels, pixels, pixels))}
    run.write_scores(measured)
    assert run.scores() == measured


@pytest.mark.parametrize(
    ("read", "verb"),
    [
        (RunFolder.config, "fit"),
        (RunFolder.split, "fit"),
        (RunFolder.classes, "tune"),
        (RunFolder.scores, "eval"),
    ],
)
def test_what_lacks_is_asked_for_by_its_verb(
    tmp_path: Path, read: Callable[[RunFolder], object], verb: str
) -> None:
    with pytest.raises(RunError, match=f"train {verb} "):
        read(RunFolder(tmp_path / "nothing"))


def test_a_damaged_file_is_named(run: RunFolder) -> None:
    (run.path / "classes.json").write_text('[{"id": 1}]')
    with pytest.raises(RunError, match=r"classes\.json"):
        run.classes()


def test_a_log_line_cut_short_is_left_out(run: RunFolder) -> None:
    (run.path / "log.jsonl").write_text('{"step": 10, "loss": 0.5}\n{"step": 20, "lo')
    assert run.log() == [{"step": 10, "loss": 0.5}]


def test_runs_are_found_by_name(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "no run").mkdir()
    RunFolder(tmp_path / "another").begin(RunConfig(), SPLIT)
    assert [one.path.name for one in find_runs(tmp_path)] == ["another", run.path.name]
