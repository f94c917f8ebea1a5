"""The exceptions of this library.

ReasonerError
├── ConfigError        a request or setting is invalid
│   ├── AccessDenied   a server refuses every request: wrong key, model or address
│   └── MissingPackage  a feature needs a package that is not installed
├── PluginError        a named component exists but would not load
├── StoreError         a results file cannot be read or written
├── Malformed          a document is malformed (in `documents`)
├── BackendError       the model could not answer; retrying may help
│   └── EngineDied     its engine ended and must be started again
└── BudgetExhausted    not a failure: the run ends with its best solution so far
"""

from __future__ import annotations

from reasoner.redaction import redacted


class ReasonerError(Exception):
    """Base class; a message shows no secret, whatever it quotes."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(redacted(each) if isinstance(each, str) else each for each in args))


class ConfigError(ReasonerError, ValueError):
    """A setting is missing, contradictory or unknown."""


class AccessDenied(ConfigError):
    """A server refuses this request and every other: wrong key, unknown model or address."""


class MissingPackage(ConfigError, ModuleNotFoundError):
    """A feature needs a package that is not installed; the message names the extra that brings it."""

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class PluginError(ReasonerError, ImportError):
    """A registered component failed to import."""


class StoreError(ReasonerError):
    """A results file is corrupt, in use or cannot be written."""


class BackendError(ReasonerError):
    """The model call failed."""


class EngineDied(BackendError):
    """The engine that served the model has ended; `aclose` and another call start a new one."""


class BudgetExhausted(ReasonerError):
    """No budget remains for the requested call."""
