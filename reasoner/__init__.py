"""Spend more inference compute on a GPT, and account for every token.

from reasoner import Budget, Reasoner

with Reasoner(model="scripted") as reasoner:
    print(reasoner.solve("12+30+41", Budget(tokens=500)).text)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasoner.api import Reasoner, open_backend
    from reasoner.base import Backend, Example, ModelInfo, Task, Verifier
    from reasoner.budget import Budget
    from reasoner.errors import (
        BackendError,
        BudgetExhausted,
        ConfigError,
        PluginError,
        ReasonerError,
        StoreError,
    )
    from reasoner.events import AnswerOffered, Done, Event, Result, StepSampled, StepScored, Stopped
    from reasoner.run import Run, Strategy
    from reasoner.solving import solve
    from reasoner.trace import Node, Trace
    from reasoner.traits import BackendTraits, StrategyTraits, VerifierTraits
    from reasoner.types import Candidate, Completion, Judgement, Problem, Sampling, Score, Usage

_HOMES = {
    "api": ["Reasoner", "open_backend"],
    "base": ["Backend", "Example", "ModelInfo", "Task", "Verifier"],
    "budget": ["Budget"],
    "errors": [
        "BackendError",
        "BudgetExhausted",
        "ConfigError",
        "PluginError",
        "ReasonerError",
        "StoreError",
    ],
    "events": ["AnswerOffered", "Done", "Event", "Result", "StepSampled", "StepScored", "Stopped"],
    "run": ["Run", "Strategy"],
    "solving": ["solve"],
    "trace": ["Node", "Trace"],
    "traits": ["BackendTraits", "StrategyTraits", "VerifierTraits"],
    "types": ["Candidate", "Completion", "Judgement", "Problem", "Sampling", "Score", "Usage"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AnswerOffered",
    "Backend",
    "BackendError",
    "BackendTraits",
    "Budget",
    "BudgetExhausted",
    "Candidate",
    "Completion",
    "ConfigError",
    "Done",
    "Event",
    "Example",
    "Judgement",
    "ModelInfo",
    "Node",
    "PluginError",
    "Problem",
    "Reasoner",
    "ReasonerError",
    "Result",
    "Run",
    "Sampling",
    "Score",
    "StepSampled",
    "StepScored",
    "Stopped",
    "StoreError",
    "Strategy",
    "StrategyTraits",
    "Task",
    "Trace",
    "Usage",
    "Verifier",
    "VerifierTraits",
    "open_backend",
    "solve",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import reasoner` is instant."""
    if name not in _HOME:
        raise AttributeError(f"module 'reasoner' has no attribute {name!r}")
    value = getattr(import_module(f"reasoner.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
