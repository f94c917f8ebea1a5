"""The result of a run, and the events on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape

from reasoner.budget import VERIFIER, Entry
from reasoner.printable import one_line
from reasoner.trace import ROOT, Node, Trace
from reasoner.types import Candidate, NodeId, Usage


class Stopped(StrEnum):
    """The reason that a run ended."""

    DONE = "done"
    BUDGET = "budget"
    TOTAL = "total budget"
    """The budget of a whole run of many problems ended this one's search, perhaps before it began."""
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Solution:
    """A finished candidate, the answer it states and the verifier's score, if it was scored."""

    candidate: Candidate
    answer: str | None
    score: float | None


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The answer of a run, its cost and its search tree.

    `answer` is in the canonical form that votes and graders compare; `candidate` is the solution
    that states it. `candidates` holds every finished solution, in order of arrival, `calls` every paid call in
    the order in which they ended. `oracle` marks results whose verifier saw the reference answer;
    `scored_by` is the verifier's name. `cause` is the exception behind `error`, where there was one.
    """

    answer: str | None
    candidate: Candidate | None
    candidates: tuple[Solution, ...]
    trace: Trace
    usage: Usage
    by_role: dict[str, Usage] = field(default_factory=dict[str, Usage])
    seconds: float = 0.0
    stopped: Stopped = Stopped.DONE
    error: str | None = None
    oracle: bool = False
    scored_by: str | None = None
    calls: tuple[Entry, ...] = ()
    cause: Exception | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Return one line, whatever the size of the search."""
        error = f", error={self.error!r}" if self.error else ""
        return (
            f"Result(answer={self.answer!r}, stopped={str(self.stopped)!r}, solutions={len(self.candidates)},"
            f" tokens={self.usage.completion_tokens}, seconds={self.seconds:.3f}{error})"
        )

    def _repr_html_(self) -> str:
        """Return the answer, its cost and the search tree for a notebook; no text of a model is markup."""
        from reasoner.tree_svg import MOST, tree_svg

        more = f"; the first {MOST} of {len(self.trace)} nodes" if len(self.trace) > MOST else ""
        return f"<p>{escape(one_line(repr(self) + more))}</p>{tree_svg(self.trace, self.chosen)}"

    @property
    def chosen(self) -> Node | None:
        """The node at which the chosen solution ends, if it is in the tree."""
        if not self.candidate or not self.candidate.completions:
            return None
        last = self.candidate.completions[-1]
        return next((node for node in self.trace if node.completion is last), None)

    @property
    def text(self) -> str:
        """Return the chosen solution, as the model wrote it."""
        return self.candidate.text if self.candidate else ""

    @property
    def generator(self) -> Usage:
        """Return the usage of all generation, a second model's included; `by_role` tells the two apart."""
        return sum((used for role, used in self.by_role.items() if role != VERIFIER), Usage())

    @property
    def verifier(self) -> Usage:
        return self.by_role.get(VERIFIER, Usage())


@dataclass(frozen=True, slots=True)
class StepSampled:
    """The model wrote a piece of a solution, which continues the node `parent`."""

    node: Node
    parent: NodeId = ROOT


@dataclass(frozen=True, slots=True)
class StepScored:
    """The verifier judged a piece."""

    node: Node


@dataclass(frozen=True, slots=True)
class AnswerOffered:
    """The answer if the run ended now."""

    answer: str | None
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Done:
    """The end of the run."""

    result: Result


Event = StepSampled | StepScored | AnswerOffered | Done
Listener = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Do nothing with an event."""
