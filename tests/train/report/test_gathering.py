import shutil
from pathlib import Path

import pytest

from tests.train.report.samples import write_run
from train.report.gathering import RunFacts, by_step, gather
from train.runs import RunError


def test_what_is_not_there_yet_is_none(study: dict[str, RunFacts]) -> None:
    run = study["unfinished"]
    assert (run.tuning, run.measured, run.headline, dict(run.curves)) == (None, None, None, {})
    assert run.parameters > 0


def test_the_headline_is_cross_fitted_and_has_the_clean_stretches(
    study: dict[str, RunFacts],
) -> None:
    run = study["steel-nano"]
    assert run.measured is not None
    assert run.headline == run.measured.cross_fitted["held_out"]
    assert run.headline.strips > len(run.held_out)


def test_runs_of_the_same_name_are_told_apart(study_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study_folder / "half", tmp_path / "other" / "half")
    names = [run.name for run in gather([study_folder / "half", copy, study_folder / "quarter"])]
    assert names == [f"{study_folder.name}/half", "other/half", "quarter"]


def test_a_folder_that_is_no_run_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="train fit"):
        gather([tmp_path])


def test_steps_that_were_done_again_count_once_and_text_is_no_figure() -> None:
    log: list[dict[str, object]] = [
        {"step": 10, "loss": 1.0},
        {"step": 20, "loss": 0.9},
        {"step": 20, "loss": 0.8, "warnings": ["class 2 has collapsed"]},
        {"step": 15, "loss": 0.95},
    ]
    assert by_step(log) == (
        {"step": 10, "loss": 1.0},
        {"step": 15, "loss": 0.95},
        {"step": 20, "loss": 0.8},
    )


def test_warnings_are_kept_with_their_step(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", judged=False)
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"step": 500, "loss": 0.5, "warnings": ["class 2 has collapsed"]}\n')
    [run] = gather([folder])
    assert run.warnings == ((500, "class 2 has collapsed"),)
