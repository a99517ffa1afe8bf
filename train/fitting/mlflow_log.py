"""The log of a run with MLflow: only where it is installed and told where to write.

`MLFLOW_TRACKING_URI` says where (a server, or `file:///...`), `MLFLOW_EXPERIMENT_NAME` under which
heading. Without the first nothing is sent: a run should not leave a database in whatever folder it
was started from. A tracking server that fails ends the tracking, never the training.
"""

import importlib
import importlib.util
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.config import RunConfig

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
DEFAULT_EXPERIMENT = "edge-daemon"
RUN_ID = "mlflow.json"
MAX_VALUE = 500
"""Characters of a parameter that every MLflow takes."""


@dataclass(slots=True)
class MlflowLog:
    """A run with an MLflow server. `client` is `mlflow.MlflowClient`, which has no types."""

    client: Any
    entities: Any
    failure: type[Exception]
    run_id: str
    has_failed: bool = False

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Note figures of a step; after a failure nothing more is sent."""
        if self.has_failed:
            return
        now_ms = int(time.time() * 1000)
        metrics = [
            self.entities.Metric(name, value, now_ms, step) for name, value in figures.items()
        ]
        try:
            self.client.log_batch(self.run_id, metrics=metrics)
        except self.failure:
            self.has_failed = True

    def close(self, *, has_failed: bool) -> None:
        """End the run there; a run that goes on later is begun again there."""
        if self.has_failed:
            return
        try:
            self.client.set_terminated(self.run_id, "FAILED" if has_failed else "FINISHED")
        except self.failure:
            self.has_failed = True


def open_mlflow(folder: Path, config: RunConfig) -> tuple[MlflowLog | None, tuple[str, ...]]:
    """The run with MLflow, if it is wanted, and warnings.

    A run that goes on from a checkpoint goes on there as well: its id is kept in the folder.
    """
    if not os.environ.get(URI):
        return None, ()
    if importlib.util.find_spec("mlflow") is None:
        return None, (f"{URI} is set, but mlflow isn't installed: nothing is sent there",)
    mlflow = importlib.import_module("mlflow")
    entities = importlib.import_module("mlflow.entities")
    failure: type[Exception] = importlib.import_module("mlflow.exceptions").MlflowException
    client = mlflow.MlflowClient()
    try:
        run_id = _known_run(folder, client, failure) or _new_run(folder, client, entities, config)
    except failure as error:
        return None, (f"MLflow at {os.environ[URI]} can't be used, nothing is sent: {error}",)
    return MlflowLog(client, entities, failure, run_id), ()


def _known_run(folder: Path, client: Any, failure: type[Exception]) -> str | None:  # noqa: ANN401 - mlflow has no types
    path = folder / RUN_ID
    if not path.is_file():
        return None
    run_id = str(json.loads(path.read_text(encoding="utf-8"))["run_id"])
    try:
        client.update_run(run_id, status="RUNNING")
    except failure:
        return None  # another server, or deleted there
    return run_id


def _new_run(folder: Path, client: Any, entities: Any, config: RunConfig) -> str:  # noqa: ANN401 - mlflow has no types
    name = os.environ.get(EXPERIMENT) or DEFAULT_EXPERIMENT
    found = client.get_experiment_by_name(name)
    experiment = client.create_experiment(name) if found is None else found.experiment_id
    run_id = str(client.create_run(experiment, run_name=folder.name).info.run_id)
    content = config.model_dump(mode="json")
    parameters = [entities.Param(k, v) for k, v in _parameters(content)]
    client.log_batch(run_id, params=parameters)
    (folder / RUN_ID).write_text(json.dumps({"run_id": run_id}) + "\n", encoding="utf-8")
    return run_id


def _parameters(table: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    parameters: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            parameters += _parameters(value, f"{before}{key}.")
        else:
            parameters.append((f"{before}{key}", str(value)[:MAX_VALUE]))
    return parameters
