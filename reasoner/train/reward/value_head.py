"""Training of a value head on the policy's states, for verifier `value-head`: `reasoner train value-head`.

The head is linear: the log-odds of a right answer after a prefix are w·h, where h is the last hidden
state at the end of a step. `models.value_head` writes it into the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from reasoner.models.precision import cpu_has_bfloat16
from reasoner.models.value_head import Head, Numbers, extend
from reasoner.train.gpt.loop import device
from reasoner.train.manifest import digest, identity
from reasoner.train.reward.labelled_solutions import LabelledSolution, held_out, read
from reasoner.train.reward.valued_policy import export, verify
from reasoner.train.reward.within_problems import WithinProblems, anchored, centred
from reasoner.types import Problem
from reasoner.verifiers.reward.encoding import Encoded, marked
from reasoner.verifiers.reward.step_boundaries import ends
from reasoner.verifiers.reward.torch_heads import Headed

BATCH = 16
"""Solutions per forward pass, of about the same length."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Candidate weights of the L2 penalty, relative to the mean loss of a step."""


@dataclass(frozen=True, slots=True)
class SolutionStates:
    """A solution with the policy's last hidden states (steps, width) at the ends of its steps.

    Steps that end beyond the policy's context have no state.
    """

    row: LabelledSolution
    states: Numbers

    @property
    def targets(self) -> list[float]:
        """Return the probability of a right answer after each step."""
        return self.row.targets[: len(self.states)]

    @property
    def right(self) -> tuple[bool, ...]:
        """Return the label of each step."""
        return self.row.labels[: len(self.states)]


def fit(
    data: Path,
    model: str,
    out: Path,
    *,
    chat: bool | None = None,
    system: str = "",
    shots: Shots = (),
    within: bool = False,
    environment: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a head on the labelled solutions in `data`; write `model` with it to the folder `out`.

    Prompts become tokens as with `VLLM(model, chat=..., system=..., shots=...)`. The solutions of a
    tenth of the problems are held out for measurement, those of another choose the penalty; the head
    that is written is trained on all. With `within`, it learns what tells the solutions of one problem apart:
    best-of-N needs no more, and outcomes alone teach which problems are easy.

    Returns:
        The content of training.json in `out`, after `environment`: the numbers of `rows` and `steps`, the
        `penalty`, the `policy` to serve, the spec of the `verifier`, and the AUC on the steps `held_out`:
        how well the head ranks right over wrong, among all problems and `within` them.

    Raises:
        ConfigError: there are too few problems, all steps have one label, or the model's logits are not
            its output layer applied to hidden states.
        StoreError: a file cannot be read or written.
    """
    checkpoint, template = Checkpoint(model), Template(system, shots)
    if out.resolve() == Path(checkpoint.path).resolve():
        raise ConfigError(f"{str(out)!r} is the model itself; write to another folder")
    split = parts(read(data))
    policy = load(checkpoint)
    states = [hidden_states(policy, rows, checkpoint, template, chat) for rows in split]
    if not all(states):
        raise ConfigError(f"too few steps of {data} end within the context of {model!r}")
    biased = policy.get_output_embeddings().bias is not None
    training, tuning, test = states
    everything = [solution for part in states for solution in part]
    penalty, chosen, head = trained_heads(
        training, tuning, everything, biased=biased, within=within
    )
    extend(policy, checkpoint.tokenizer, head)
    verify(policy, checkpoint, head, encoded(everything[0].row, checkpoint, template, chat).ids)
    export(policy, checkpoint, head, make_folder(out))
    origin = {"data": digest(data), **identity(model, checkpoint.path)}
    manifest = {
        "settings": {**origin, "chat": chat, "system": system, "shots": shots}
        | ({"within": True} if within else {}),
        **(environment or {}),
        "rows": len(everything),
        "steps": sum(len(solution.states) for solution in everything),
        "penalty": penalty,
        "policy": str(out),
        "verifier": verifier_spec(split[0][0].separator),
        "held_out": measure(chosen, test),
        "within": asdict(WithinProblems.of(chosen, test)),
    }
    save_json(manifest, out / "training.json")
    return manifest


def trained_heads(
    training: Sequence[SolutionStates],
    tuning: Sequence[SolutionStates],
    everything: Sequence[SolutionStates],
    *,
    biased: bool,
    within: bool,
) -> tuple[float, Head, Head]:
    """Return the best penalty, its head trained on `training`, and the one trained on everything."""
    if not within:
        penalty, chosen = choose(training, tuning, biased)
        return penalty, chosen, logistic(everything, penalty, biased)
    penalty, chosen = choose(centred(training), centred(tuning), biased=False)
    head = logistic(centred(everything), penalty, biased=False)
    return penalty, chosen, anchored(head, everything)


def choose(
    training: Sequence[SolutionStates], tuning: Sequence[SolutionStates], biased: bool
) -> tuple[float, Head]:
    """Return the penalty with the least loss on `tuning`, and its head, trained on `training`."""
    heads = {penalty: logistic(training, penalty, biased) for penalty in PENALTIES}
    penalty = min(heads, key=lambda p: loss(heads[p], tuning))
    return penalty, heads[penalty]


def parts(rows: list[LabelledSolution]) -> tuple[list[LabelledSolution], ...]:
    """Split solutions into those to train on, to choose by and to measure on, which share no problem."""
    if (problems := len({row.prompt for row in rows})) < 3:
        raise ConfigError(f"there are solutions of {problems} problems; label at least three")
    rest, test = held_out(rows, 0)
    training, tuning = held_out(rest, 0)
    return training, tuning, test


def load(checkpoint: Checkpoint) -> Any:
    """Load the policy in the precision that an engine computes in: the saved one where the machine has it."""
    exact = device() == "cuda" or (checkpoint.config.dtype == torch.bfloat16 and cpu_has_bfloat16())
    dtype = "auto" if exact else torch.float32
    policy: Any = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=dtype)
    return policy.to(device()).eval()


def encoded(
    row: LabelledSolution, checkpoint: Checkpoint, template: Template, chat: bool | None
) -> Encoded:
    """Return the tokens of problem and solution, with reads at the last token of each step, its separator."""
    problem = template.ids(checkpoint.tokenizer, Problem(row.id, row.prompt), chat)
    written = marked(checkpoint.tokenizer, row.solution, ends(row.solution, row.separator))
    reads = tuple(len(problem) + read for read in written.reads)
    return Encoded((*problem, *written.ids), reads).within(checkpoint.info.context)


def hidden_states(
    policy: Any,
    rows: Sequence[LabelledSolution],
    checkpoint: Checkpoint,
    template: Template,
    chat: bool | None,
) -> list[SolutionStates]:
    """Compute the hidden states of `rows`, shorter ones first, without those that have no step in the context."""
    body = Headed(policy.base_model, lambda hidden: hidden)
    pairs = [(row, encoded(row, checkpoint, template, chat)) for row in rows]
    order = sorted((p for p in pairs if p[1].reads), key=lambda p: len(p[1].ids))
    solutions = list[SolutionStates]()
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        states = body.rows([tokens for _, tokens in batch])
        solutions += [
            SolutionStates(row, np.array(values, np.float32))
            for (row, _), values in zip(batch, states, strict=True)
        ]
    return solutions


def table(solutions: Sequence[SolutionStates]) -> tuple[Numbers, Numbers]:
    """Return all states (steps, width), and the target of each."""
    states = np.concatenate([solution.states for solution in solutions])
    targets = [target for solution in solutions for target in solution.targets]
    return states, np.array(targets, np.float32)


def logistic(solutions: Sequence[SolutionStates], penalty: float, biased: bool) -> Head:
    """Fit a logistic regression on states of unit size, with `penalty` on the squared weights.

    Each step counts as a right one and a wrong one, weighted by its target.

    Raises:
        ConfigError: all steps have the same label.
    """
    states, targets = table(solutions)
    size = np.sqrt(np.mean(states**2, 0)) + 1e-6
    weights = np.concatenate([targets, 1 - targets])
    rows = np.flatnonzero(weights)
    right: npt.NDArray[np.bool_] = rows < len(targets)
    if right.all() or not right.any():
        raise ConfigError("all training steps have the same label; label more solutions")
    regression = LogisticRegression(
        C=1 / (penalty * len(targets)), fit_intercept=biased, max_iter=1000
    )
    regression.fit((states / size)[rows % len(targets)], right, weights[rows])
    weight = (regression.coef_[0] / size).astype(np.float32)
    return Head(weight, float(np.ravel(regression.intercept_)[0]))


def loss(head: Head, solutions: Sequence[SolutionStates]) -> float:
    """Return the mean cross-entropy of a step, in nats."""
    states, targets = table(solutions)
    logits = head.logits(states)
    return float(np.mean(np.logaddexp(0, logits) - targets * logits))


def measure(head: Head, solutions: Sequence[SolutionStates]) -> dict[str, Any]:
    """Measure how well the head ranks right steps over wrong ones, with the interval over problems."""
    problems = dict.fromkeys(solution.row.prompt for solution in solutions)
    pools = [
        [(head.logits(s.states).tolist(), s.right) for s in solutions if s.row.prompt == problem]
        for problem in problems
    ]
    return Ranking.of(pools).model_dump()


def verifier_spec(separator: str) -> str:
    """Return the verifier's spec for the command line."""
    return "value-head" if separator == "\n" else f"value-head(separator={separator!r})"
