"""MLflow: the server of `MLFLOW_TRACKING_URI`, experiment `MLFLOW_EXPERIMENT_NAME`, by default `reasoner`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param

from reasoner.errors import ConfigError

PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Defaults of the client's settings: its own would wait for minutes at the end of a run."""
LONGEST = 500
"""The most characters of a parameter that every server takes."""


class MLflow:
    """A run of MLflow, by its client alone: what the application tracks by itself is left as it is."""

    def check(self) -> None:
        """Open the client, which connects to nothing yet.

        Raises:
            ConfigError: no server is named, and there is no other place that can be used.
        """
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        try:
            self._client = mlflow.MlflowClient()
        except mlflow.MlflowException as e:
            raise ConfigError(
                "--track mlflow has no server; set MLFLOW_TRACKING_URI to its address, or to a folder"
                " such as file:runs/mlflow with MLFLOW_ALLOW_FILE_STORE=true"
            ) from e

    def open(self, name: str, identity: str | None, parameters: Mapping[str, str]) -> str:
        """Begin a run, or go on with the one that has this identity, and return the identity."""
        if identity and self._reopened(identity):
            self._run = identity
            return identity
        experiment = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "reasoner"))
        self._run = str(self._client.create_run(experiment, run_name=name).info.run_id)
        params = [Param(key, value[:LONGEST]) for key, value in parameters.items()]
        self._client.log_batch(self._run, params=params)
        return self._run

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a value to each of some metrics."""
        now = round(1000 * time.time())
        values = [Metric(key, value, now, step) for key, value in metrics.items()]
        self._client.log_batch(self._run, metrics=values)

    def attach(self, files: Sequence[Path]) -> None:
        """Upload files."""
        for file in files:
            self._client.log_artifact(self._run, str(file))

    def close(self, *, finished: bool) -> None:
        """End the run; `finished` is False if it was interrupted."""
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")

    def _reopened(self, identity: str) -> bool:
        """Go on with a run; return False if the server has none of this identity."""
        try:
            self._client.update_run(identity, status="RUNNING")
        except mlflow.MlflowException as e:
            if e.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        return str(known.experiment_id if known else self._client.create_experiment(name))
