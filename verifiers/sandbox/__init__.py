"""Sandboxes for running untrusted programs."""

from reasoner.verifiers.sandbox.limits import Limits
from reasoner.verifiers.sandbox.run import Kind, ProgramOutcome, Status, run
from reasoner.verifiers.sandbox.trial import Trial, Unusable

__all__ = ["Kind", "Limits", "ProgramOutcome", "Status", "Trial", "Unusable", "run"]
