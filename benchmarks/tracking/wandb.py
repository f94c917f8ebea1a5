"""Weights & Biases: project `WANDB_PROJECT`, by default `reasoner`; `WANDB_MODE=offline` keeps a run in files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import wandb

from reasoner.errors import ConfigError

STEP = "step"
OFFLINE = ("offline", "disabled", "dryrun")
QUIET = {
    "silent": True, "console": "off", "save_code": False, "disable_git": True,
    "x_disable_meta": True, "x_disable_stats": True, "x_disable_machine_info": True,
}  # fmt: skip
"""Settings under which it prints nothing, and sends no command line (which may hold a key), code or machine."""


class WandB:
    """A run of Weights & Biases; its metrics go by a step of their own, N for the points."""

    def check(self) -> None:
        """Refuse a run that would ask for a key.

        Raises:
            ConfigError: there is no key, and the run is not offline.
        """
        if os.environ.get("WANDB_MODE") not in OFFLINE and not wandb.login(prompt=False):
            raise ConfigError(
                "--track wandb has no key; run `wandb login`, or set WANDB_MODE=offline and `wandb sync` the"
                " run later"
            )

    def open(self, name: str, identity: str | None, parameters: Mapping[str, str]) -> str:
        """Begin a run, or go on with the one that has this identity, and return the identity."""
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "reasoner"),
            name=name,
            id=identity,
            resume="allow",
            config=dict(parameters),
            settings=wandb.Settings(**QUIET),
        )
        self._run.define_metric("*", step_metric=STEP)
        return str(self._run.id)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a value to each of some metrics."""
        self._run.log({**metrics, STEP: step})

    def attach(self, files: Sequence[Path]) -> None:
        """Upload files, as an artifact."""
        artifact = wandb.Artifact(f"results-{self._run.id}", type="results")
        for file in files:
            artifact.add_file(str(file))
        self._run.log_artifact(artifact)

    def close(self, *, finished: bool) -> None:
        """End the run; `finished` is False if it was interrupted."""
        self._run.finish(exit_code=0 if finished else 1)
