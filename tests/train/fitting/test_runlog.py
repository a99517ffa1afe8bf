"""The log of a run: every tenth step, every validation, and no step twice."""

import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]  # it has no types
    EventAccumulator,
)

from tests.train.fitting.conftest import score_of
from train.config import RunConfig
from train.fitting.runlog import LOG, Progress, RunLog, cut_back


def entries(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_every_tenth_step_and_every_validation_and_warning_is_noted(tmp_path: Path) -> None:
    figures = score_of(present=(1, 2), found=(1,))
    with RunLog(tmp_path, RunConfig()) as log:
        for step in range(1, 26):
            warnings = ("class 2 sleeps",) if step == 23 else ()
            scored = figures if step == 25 else None
            log.write(Progress(step, 100, 0.5, scored, warnings))
    noted = entries(tmp_path)
    assert [entry["step"] for entry in noted] == [10, 20, 23, 25]
    assert noted[2]["warnings"] == ["class 2 sleeps"]
    assert (noted[3]["class_1/recall"], noted[3]["class_2/recall"]) == (1, 0)


def test_parts_rates_and_speed_are_noted_and_reach_tensorboard(tmp_path: Path) -> None:
    progress = Progress(
        10,
        20,
        0.5,
        None,
        warnings=("look here",),
        parts={"dice": 0.25},
        rates={"encoder": 1e-4},
        seconds=2.0,
        crops=8,
    )
    with RunLog(tmp_path, RunConfig()) as log:
        log.write(progress)
    (entry,) = entries(tmp_path)
    expected = {"loss/dice": 0.25, "rate/encoder": 1e-4, "seconds": 2.0, "strips_per_s": 4.0}
    assert expected.items() <= entry.items()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Scalars("loss/dice")[0].value == 0.25
    assert "warnings/text_summary" in events.Tags()["tensors"]


def test_a_resumed_run_logs_no_step_twice(tmp_path: Path) -> None:
    for first, checkpoint in ((1, 0), (21, 20)):
        with RunLog(tmp_path, RunConfig(), checkpoint) as log:
            for step in range(first, 41):
                log.write(Progress(step, 40, float(first), None))
    noted = [(entry["step"], entry["loss"]) for entry in entries(tmp_path)]
    assert noted == [(10, 1.0), (20, 1.0), (30, 21.0), (40, 21.0)]


def test_a_line_cut_short_is_dropped_with_what_comes_again(tmp_path: Path) -> None:
    path = tmp_path / LOG
    path.write_text('{"step": 10}\n{"step": 20}\n{"step": 15, "lo')
    cut_back(path, step=10)
    assert path.read_text() == '{"step": 10}\n'
    assert [one.name for one in tmp_path.iterdir()] == [LOG]
