"""From results to replies: choices, usage, and the object that tells of the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reasoner.events import Result
from reasoner.naming import parse_spec
from reasoner.server.search_plans import SearchPlan
from reasoner.types import Candidate, Usage


@dataclass(frozen=True, slots=True)
class ReplyChoice:
    """One answer: what a client shows as such, and the reasoning that led to it."""

    content: str
    reasoning: str
    finish: str
    tokens: int
    """The tokens of the content; of a part of a text, its share of them."""


def choices(results: Sequence[Result], plan: SearchPlan, count: int) -> list[ReplyChoice]:
    """Return the answers of independent searches, or the `count` best distinct ones of a single search."""
    if len(results) == 1 and count > 1:
        return [_choice(c, answer, plan) for c, answer in _ranked(results[0])[:count]]
    return [_choice(r.candidate, r.answer, plan) for r in results]


def usage(results: Sequence[Result], given: Sequence[ReplyChoice]) -> dict[str, Any]:
    """Return what the searches spent, hidden samples and verifiers included, as the ledger has it."""
    spent = sum((r.usage for r in results), Usage())
    shown = min(spent.completion_tokens, sum(choice.tokens for choice in given))
    return {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_tokens": spent.prompt_tokens + spent.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": spent.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": spent.completion_tokens - shown},
    }


def details(results: Sequence[Result], plan: SearchPlan) -> dict[str, Any]:
    """Return the object `reasoner` of a reply: the search, its end, votes, budget and spending."""
    spent = sum((r.usage for r in results), Usage())
    roles = {role for r in results for role in r.by_role}
    by_role = {
        role: sum((r.by_role.get(role, Usage()) for r in results), Usage())
        for role in sorted(roles)
    }
    return {
        "strategy": plan.name,
        "n": plan.size,
        "verifier": plan.verifier_name and parse_spec(plan.verifier_name)[0],
        "task": None if plan.task is None else plan.task.name,
        "seed": plan.seed,
        "budget": {k: v for k, v in asdict(plan.budget).items() if v is not None},
        "searches": [_search(result) for result in results],
        "usage": {
            "requests": spent.requests,
            "fresh": spent.fresh_tokens,
            "cached": spent.cached_tokens,
            **{role: used.completion_tokens for role, used in by_role.items()},
            "flops": spent.flops,
            "seconds": round(sum(r.seconds for r in results), 3),
            "estimated": spent.estimated_tokens,
        },
    }


def _search(result: Result) -> dict[str, Any]:
    votes = dict[str, int]()
    for solution in result.candidates:
        if solution.answer is not None:
            votes[solution.answer] = votes.get(solution.answer, 0) + 1
    best = [s.score for s in result.candidates if s.candidate == result.candidate]
    return {
        "stopped": str(result.stopped),
        "error": result.error,
        "answer": result.answer,
        "score": best[0] if best else None,
        "solutions": len(result.candidates),
        "votes": dict(sorted(votes.items(), key=lambda item: -item[1])[:10]),
    }


def _ranked(result: Result) -> list[tuple[Candidate | None, str | None]]:
    """Return finished solutions with different answers, the chosen one first, then by score."""
    chosen = [(result.candidate, result.answer)]
    solutions = sorted(result.candidates, key=lambda s: -(s.score if s.score is not None else -1))
    seen = {result.answer}
    for solution in solutions:
        if solution.answer not in seen:
            seen.add(solution.answer)
            chosen.append((solution.candidate, solution.answer))
    return chosen


def _choice(candidate: Candidate | None, answer: str | None, plan: SearchPlan) -> ReplyChoice:
    """Return a solution as a client reads it.

    With a task the content is the answer, and the solution the reasoning. Without one, or where the task
    finds no answer, they are the two parts of the text of a model that thinks first. With a schema the content
    is the JSON document alone.
    """
    if candidate is None:
        return ReplyChoice("", "", "length", 0)
    parts = candidate.parts
    if plan.task and answer is not None:
        content, reasoning = answer, candidate.text
    else:
        document = answer if plan.schema else None
        content, reasoning = document or parts.answer.strip(), parts.thinking
    share = min(1.0, len(content) / max(1, len(candidate.text)))
    tokens = round(candidate.tokens * share) if reasoning else candidate.tokens
    return ReplyChoice(content, reasoning, "stop" if candidate.complete else "length", tokens)
