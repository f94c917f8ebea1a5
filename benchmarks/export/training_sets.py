"""Rows of training sets, for `reasoner export`.

TRL's dataset types (https://huggingface.co/docs/trl/dataset_formats): prompt-completion, preference, stepwise
supervision and prompt-only, all in the standard format. verl's: `messages` for fine-tuning, and `data_source`,
`prompt`, `ability`, `reward_model`, `extra_info` for reinforcement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from reasoner.benchmarks.export.solved import SolvedProblem
from reasoner.benchmarks.export.step_tree import StepTree, split
from reasoner.errors import ConfigError, StoreError
from reasoner.files import save_text

Format = Literal["sft", "preferences", "step-preferences", "prm", "journey", "prompts"]
Library = Literal["trl", "verl"]
Row = dict[str, Any]

SECOND_THOUGHTS = "Wait, that is not right."
"""The step after an error in a journey, which takes it back."""


def sft(problem: SolvedProblem, most: int) -> Iterator[Row]:
    """Yield the right and distinct solutions of a problem, at most `most` (prompt-completion)."""
    for text in problem.right[:most]:
        yield {"prompt": problem.prompt, "completion": text}


def preferences(problem: SolvedProblem, most: int) -> Iterator[Row]:
    """Yield pairs of a right and a wrong solution, each solution in one pair (preference)."""
    for chosen, rejected in list(zip(problem.right, problem.wrong, strict=False))[:most]:
        yield {"prompt": problem.prompt, "chosen": chosen, "rejected": rejected}


def step_preferences(problem: SolvedProblem, most: int) -> Iterator[Row]:
    """Yield pairs of steps after the same prefix, at most `most` (preference; Step-DPO, arXiv 2406.18629).

    The chosen step leads to a right answer more often than the rejected one, which never does. The prompt is
    the problem and the prefix.
    """
    tree, pairs = StepTree.of(problem), 0
    for prefix in list(tree.through):
        if not prefix or tree.value(prefix) == 0:
            continue
        for other in tree.siblings(prefix):
            if pairs < most and tree.value((*prefix[:-1], other)) == 0:
                pairs += 1
                yield {
                    "prompt": problem.prompt + tree.text(prefix[:-1]),
                    "chosen": prefix[-1] + problem.separator,
                    "rejected": other + problem.separator,
                }


def prm(problem: SolvedProblem, most: int) -> Iterator[Row]:
    """Yield distinct solutions with a label per step, at most `most` (stepwise supervision).

    A step is right if a solution through it ends right (Math-Shepherd's hard estimation). The other
    fields are those of `reasoner train labels`, so that `reasoner train prm` and `orm` read the rows too.
    """
    tree = StepTree.of(problem)
    graded = dict.fromkeys((s.text, s.right) for s in problem.solutions)
    for number, (text, right) in enumerate(list(graded)[:most]):
        steps = split(text, problem.separator)
        values = [tree.value(steps[: i + 1]) for i in range(len(steps))]
        yield {
            "id": f"{problem.id}/{number}",
            "task": problem.task,
            "prompt": problem.prompt,
            "completions": list(steps),
            "separator": problem.separator,
            "labels": [value > 0 for value in values],
            "values": values,
            "correct": right,
            "method": "monte-carlo",
            "k": tree.through[steps[:1]],
            "tokens": 0,
        }


def journey(problem: SolvedProblem, most: int) -> Iterator[Row]:
    """Yield one long solution with up to `most` errors, each taken back (prompt-completion).

    The errors are steps of other solutions after the same prefix that never led to a right answer. This
    teaches to notice and correct errors (Stream of Search, Gandhi et al., 2024, arXiv 2404.03683;
    HuatuoGPT-o1, Chen et al., 2024, arXiv 2412.18925).
    """
    tree, errors = StepTree.of(problem), 0
    for text in problem.right[:1]:
        steps, chain = split(text, problem.separator), list[str]()
        for end in range(1, len(steps) + 1):
            for other in tree.siblings(steps[:end]):
                if errors < most and tree.value((*steps[: end - 1], other)) == 0:
                    errors += 1
                    chain += [other, SECOND_THOUGHTS]
            chain.append(steps[end - 1])
        if errors:
            completion = tree.text(chain).removesuffix(problem.separator)
            yield {"prompt": problem.prompt, "completion": completion}


def prompts(problem: SolvedProblem, most: int) -> Iterator[Row]:
    """Yield a problem with its answer (prompt-only); `most` has no effect."""
    yield {"prompt": problem.prompt, "answer": problem.reference}


ROWS: dict[str, Callable[[SolvedProblem, int], Iterator[Row]]] = {
    "sft": sft, "preferences": preferences, "step-preferences": step_preferences, "prm": prm,
    "journey": journey, "prompts": prompts,
}  # fmt: skip


def training_set(
    problems: Iterable[SolvedProblem], format: Format, most: int, library: Library = "trl"
) -> list[Row]:
    """Return the rows of a training set in the format of a library.

    Raises:
        ConfigError: the library has no such format.
        StoreError: the solutions give no row.
    """
    if library == "verl" and format not in ("sft", "journey", "prompts"):
        raise ConfigError(f"verl has no format for {format}; use sft, journey or prompts, or trl")
    rows = list[Row]()
    for problem in problems:
        for row in ROWS[format](problem, most):
            rows.append(_verl(problem, row, len(rows)) if library == "verl" else row)
    if not rows:
        raise StoreError(
            f"the solutions give no row of {format}: it needs"
            f" {'right' if format == 'sft' else 'right and wrong'} ones of the same problem"
        )
    return rows


def save(rows: Iterable[Row], path: Path) -> Path:
    """Write rows as JSON lines, atomically."""
    return save_text("".join(json.dumps(row) + "\n" for row in rows), path)


def _verl(problem: SolvedProblem, row: Row, index: int) -> Row:
    """Return a row as verl reads it: messages to imitate, or a prompt with its rule's reference."""
    question = {"role": "user", "content": problem.prompt}
    if "completion" in row:
        return {"messages": [question, {"role": "assistant", "content": row["completion"]}]}
    return {
        "data_source": problem.task,
        "prompt": [question],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": problem.reference},
        "extra_info": {"split": problem.split, "index": index, "id": problem.id},
    }
