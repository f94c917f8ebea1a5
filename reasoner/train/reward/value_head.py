"""`reasoner train value-head`: a value head on the policy's own states, for verifier `value-head`.

The head is linear: the log-odds that a solution with this prefix ends well are w·h, h being the last
hidden state where a step ends. `value_tokens` writes it into the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoModelForCausalLM

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.prompt_template import Shots, Template
from reasoner.benchmarks.analysis.step_metrics import Ranking
from reasoner.errors import ConfigError
from reasoner.files import make_folder, save_json
from reasoner.train.gpt.loop import device
from reasoner.train.manifest import digest, told_apart
from reasoner.train.reward.labelled_solutions import LabelledSolution, held_out, read
from reasoner.train.reward.value_tokens import Head, Numbers, export, extend, verify
from reasoner.types import Problem
from reasoner.verifiers.reward.encoding import Encoded, marked
from reasoner.verifiers.reward.step_boundaries import ends
from reasoner.verifiers.reward.torch_heads import Headed

BATCH = 16
"""Solutions computed at once, of about the same length."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Weights of the L2 penalty that are tried, against the mean loss of a step."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A solution with the policy's last hidden states (steps, width) where its steps end.

    Steps that end beyond the policy's context have none.
    """

    row: LabelledSolution
    states: Numbers

    @property
    def targets(self) -> list[float]:
        """How likely each step is to end well."""
        return self.row.targets[: len(self.states)]

    @property
    def right(self) -> tuple[bool, ...]:
        """The label of each step."""
        return self.row.labels[: len(self.states)]


def fit(
    data: Path,
    model: str,
    out: Path,
    *,
    chat: bool | None = None,
    system: str = "",
    shots: Shots = (),
    environment: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a head on the labelled solutions in `data`; write `model` with it to the folder `out`.

    Prompts become tokens as with `VLLM(model, chat=..., system=..., shots=...)`. The solutions of a
    tenth of the problems are held out to measure, those of another choose the penalty; the head that
    is written has learned from all.

    Returns:
        What training.json in `out` tells, after `environment`: how many `rows` and `steps` there were,
        the `penalty`, the `policy` to serve, the `verifier` as the registry has it, and of the steps
        `held_out` their AUC: how well the head ranks right over wrong.

    Raises:
        ConfigError: there are too few problems, all steps are alike, or the model's logits are more
            than its output layer makes of hidden states.
        StoreError: a file cannot be read or written.
    """
    checkpoint, template = Checkpoint(model), Template(system, shots)
    if out.resolve() == Path(checkpoint.path).resolve():
        raise ConfigError(f"{str(out)!r} is the model itself; write to another folder")
    learned, tuned, tested = parts(read(data))
    policy = loaded(checkpoint)
    seen = [see(policy, rows, checkpoint, template, chat) for rows in (learned, tuned, tested)]
    if not all(seen):
        raise ConfigError(f"too few steps of {data} end within the context of {model!r}")
    biased = policy.get_output_embeddings().bias is not None
    heads = {penalty: logistic(seen[0], penalty, biased) for penalty in PENALTIES}
    penalty = min(heads, key=lambda p: loss(heads[p], seen[1]))
    everything = [solution for part in seen for solution in part]
    head = logistic(everything, penalty, biased)
    extend(policy, checkpoint.tokenizer, head)
    verify(policy, checkpoint, head, encoded(everything[0].row, checkpoint, template, chat).ids)
    export(policy, checkpoint, make_folder(out))
    origin = told_apart(model, checkpoint.path)
    found = {
        "settings": {
            "data": digest(data),
            **origin,
            "chat": chat,
            "system": system,
            "shots": shots,
        },
        **(environment or {}),
        "rows": len(everything),
        "steps": sum(len(solution.states) for solution in everything),
        "penalty": penalty,
        "policy": str(out),
        "verifier": spelled(learned[0].separator),
        "held_out": measure(heads[penalty], seen[2]),
    }
    save_json(found, out / "training.json")
    return found


def parts(rows: list[LabelledSolution]) -> tuple[list[LabelledSolution], ...]:
    """The solutions to learn from, to choose by and to measure on, which share no problem."""
    if (problems := len({row.prompt for row in rows})) < 3:
        raise ConfigError(f"there are solutions of {problems} problems; label at least three")
    rest, tested = held_out(rows, 0)
    learned, tuned = held_out(rest, 0)
    return learned, tuned, tested


def loaded(checkpoint: Checkpoint) -> Any:
    """The policy: on a GPU as it was saved, else in single precision."""
    dtype = "auto" if device() == "cuda" else torch.float32
    policy: Any = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=dtype)
    return policy.to(device()).eval()


def encoded(
    row: LabelledSolution, checkpoint: Checkpoint, template: Template, chat: bool | None
) -> Encoded:
    """The tokens of problem and solution; of each step the last one, its separator included."""
    problem = template.ids(checkpoint.tokenizer, Problem(row.id, row.prompt), chat)
    written = marked(checkpoint.tokenizer, row.solution, ends(row.solution, row.separator))
    reads = tuple(len(problem) + read for read in written.reads)
    return Encoded((*problem, *written.ids), reads).within(checkpoint.info.context)


def see(
    policy: Any,
    rows: Sequence[LabelledSolution],
    checkpoint: Checkpoint,
    template: Template,
    chat: bool | None,
) -> list[Seen]:
    """The hidden states of `rows`, shorter ones first; those without a step in the context left out."""
    body = Headed(policy.base_model, lambda hidden: hidden)
    pairs = [(row, encoded(row, checkpoint, template, chat)) for row in rows]
    order = sorted((p for p in pairs if p[1].reads), key=lambda p: len(p[1].ids))
    seen = list[Seen]()
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        states = body.rows([tokens for _, tokens in batch])
        seen += [Seen(p[0], np.array(s, np.float32)) for p, s in zip(batch, states, strict=True)]
    return seen


def table(solutions: Sequence[Seen]) -> tuple[Numbers, Numbers]:
    """All states (steps, width), and the target of each."""
    states = np.concatenate([solution.states for solution in solutions])
    targets = [target for solution in solutions for target in solution.targets]
    return states, np.array(targets, np.float32)


def logistic(solutions: Sequence[Seen], penalty: float, biased: bool) -> Head:
    """Logistic regression on states of unit size, with `penalty` on the squared weights.

    A step is one that went well and one that did not, weighted by its target.

    Raises:
        ConfigError: all steps went alike.
    """
    states, targets = table(solutions)
    size = np.sqrt(np.mean(states**2, 0)) + 1e-6
    weights = np.concatenate([targets, 1 - targets])
    kept = np.flatnonzero(weights)
    well: npt.NDArray[np.bool_] = kept < len(targets)
    if well.all() or not well.any():
        raise ConfigError("all steps to learn from went alike; label more solutions")
    regression = LogisticRegression(
        C=1 / (penalty * len(targets)), fit_intercept=biased, max_iter=1000
    )
    regression.fit((states / size)[kept % len(targets)], well, weights[kept])
    weight = (regression.coef_[0] / size).astype(np.float32)
    return Head(weight, float(np.ravel(regression.intercept_)[0]))


def loss(head: Head, solutions: Sequence[Seen]) -> float:
    """The mean cross-entropy of a step, in nats."""
    states, targets = table(solutions)
    logits = head.logits(states)
    return float(np.mean(np.logaddexp(0, logits) - targets * logits))


def measure(head: Head, solutions: Sequence[Seen]) -> dict[str, Any]:
    """How well the head ranks right steps over wrong ones, with its interval over problems."""
    problems = dict.fromkeys(solution.row.prompt for solution in solutions)
    pools = [
        [(head.logits(s.states).tolist(), s.right) for s in solutions if s.row.prompt == problem]
        for problem in problems
    ]
    return Ranking.of(pools).model_dump()


def spelled(separator: str) -> str:
    """The verifier as it is named on the command line."""
    return "value-head" if separator == "\n" else f"value-head(separator={separator!r})"
