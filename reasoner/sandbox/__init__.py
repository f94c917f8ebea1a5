"""Sandboxes for running untrusted programs."""

from reasoner.sandbox.limits import Limits
from reasoner.sandbox.run import Kind, ProgramOutcome, Status, run
from reasoner.sandbox.trial import Trial, Unusable

__all__ = ["Kind", "Limits", "ProgramOutcome", "Status", "Trial", "Unusable", "run"]
