"""The log of a run: every tenth step, every validation, and still readable after a crash."""

import json
from pathlib import Path

import numpy as np

from train.runlog import Progress, RunLog
from train.scoring import PixelCounts, score


def test_every_tenth_step_and_every_validation_is_noted(tmp_path: Path) -> None:
    truth = np.array([[10, 0, 0, 0], [0, 0, 0, 0]])
    figures = score(PixelCounts(truth, truth, truth))
    with RunLog(tmp_path) as log:
        for step in range(1, 26):
            progress = Progress(step, 100, 0.5, figures if step == 25 else None)
            log.write(progress, rate=1.0, seconds=0.1)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [10, 20, 25]
    assert entries[-1]["class_1/recall"] == 1
    assert list(tmp_path.glob("events.*"))


def test_a_resumed_run_adds_to_its_log(tmp_path: Path) -> None:
    for step in (10, 20):
        with RunLog(tmp_path) as log:
            log.write(Progress(step, 20, 0.5, None), rate=1.0, seconds=0.1)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
