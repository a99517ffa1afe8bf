"""MLflow gets what it is asked to get, and never ends a run."""

import importlib.util
from pathlib import Path

import pytest

from train.config import RunConfig
from train.fitting.mlflow_log import EXPERIMENT, RUN_ID, URI, MlflowLog, open_mlflow
from train.fitting.runlog import Progress, RunLog

is_installed = importlib.util.find_spec("mlflow") is not None
with_mlflow = pytest.mark.skipif(not is_installed, reason="mlflow isn't installed")


class ServerError(Exception):
    """What the client of a server that is away raises."""


class Entities:
    @staticmethod
    def Metric(name: str, value: float, at_ms: int, step: int) -> tuple[str, float, int, int]:  # noqa: N802 - mlflow's name
        return name, value, at_ms, step


class AwayClient:
    """A tracking server that has gone."""

    def __init__(self) -> None:
        self.calls = 0

    def log_batch(self, _run_id: str, **_: object) -> None:
        self.calls += 1
        raise ServerError

    def set_terminated(self, _run_id: str, _status: str) -> None:
        self.calls += 1


def test_nothing_is_sent_unless_an_address_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URI, raising=False)
    assert open_mlflow(tmp_path, RunConfig()) == (None, ())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(is_installed, reason="mlflow is installed")
def test_an_address_without_mlflow_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, "http://localhost:5000")
    with RunLog(tmp_path, RunConfig()) as log:
        log.write(Progress(10, 20, 0.5, None, log.warnings))
    assert "mlflow isn't installed" in (tmp_path / "log.jsonl").read_text()


def test_a_server_that_goes_away_is_asked_no_more() -> None:
    client = AwayClient()
    log = MlflowLog(client, Entities, ServerError, "run")
    for step in (10, 20):
        log.write(step, {"loss": 0.5})
    log.close(has_failed=False)
    assert client.calls == 1


@with_mlflow
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_written_to_mlflow_and_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    monkeypatch.setenv(URI, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv(EXPERIMENT, "strips")
    folder = tmp_path / "run"
    folder.mkdir()
    for step, checkpoint in ((10, 0), (20, 10)):
        with RunLog(folder, RunConfig(seed=7), checkpoint) as log:
            assert log.warnings == ()
            log.write(Progress(step, 20, 1 / step, None, parts={"dice": 0.25}))
    client = MlflowClient()
    experiment = client.get_experiment_by_name("strips")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_id in (folder / RUN_ID).read_text()
    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == "7"
    assert run.data.params["optim.optimiser"] == "adamw"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(10, 0.1), (20, 0.05)]
    assert run.data.metrics["loss/dice"] == 0.25
