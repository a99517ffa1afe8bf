"""Six runs of a study, written once; nobody changes them."""

from pathlib import Path

import pytest

from tests.train.report.samples import write_run
from train.report.gathering import RunFacts, gather

RUNS: dict[str, tuple[float, dict[str, object], int]] = {
    "steel-nano": (0.8, {}, 80),
    "steel-small": (0.95, {"network": {"encoder": "efficientnet_b0"}}, 80),
    "no-average": (0.5, {"optim": {"ema_decay": 0.0}}, 80),
    "quarter": (0.3, {"data": {"training_share": 0.25}}, 20),
    "half": (0.6, {"data": {"training_share": 0.5}}, 40),
    "unfinished": (0.6, {"network": {"architecture": "unet", "width": 8}}, 80),
}


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the runs; the last was never judged."""
    folder = tmp_path_factory.mktemp("study")
    for name, (skill, settings, training) in RUNS.items():
        write_run(
            folder / name,
            skill=skill,
            settings=settings,
            training=training,
            judged=name != "unfinished",
        )
    return folder


@pytest.fixture(scope="session")
def study(study_folder: Path) -> dict[str, RunFacts]:
    """Read them."""
    runs = gather([study_folder / name for name in RUNS])
    return {run.name: run for run in runs}
