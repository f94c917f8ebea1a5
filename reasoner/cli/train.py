"""`reasoner train`: the embedded GPT, labels, and the reward models that are made of them."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reasoner.cli.arguments import (
    engine,
    gpt_arguments,
    labels_arguments,
    orm_arguments,
    policy,
    prm_arguments,
    tasks,
    value_head_arguments,
)
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import print_json, stdout_for_json
from reasoner.cli.parser import Parser
from reasoner.errors import ConfigError
from reasoner.terminal import echo

Found = dict[str, Any]
Work = Callable[[argparse.Namespace], Found]
Told = Callable[[Found], list[str]]

GPT = """example:
  reasoner train gpt --out runs/train                 every stage, going on where it was stopped
  reasoner train gpt --out runs/train --stage policy  pre-training alone
  reasoner train gpt --out runs/check --stage evaluate --model reasoner/gpt
                                                      measure what ships
  reasoner train gpt --out runs/on --stage policy --model reasoner/gpt --steps 200
                                                      let it imitate further, when a task has changed
  reasoner train gpt --out runs/on --stage rollouts --model runs/on/policy
  reasoner train gpt --out runs/on --stage verdict --model runs/on/policy
                                                      let it learn from more of its own solutions
  reasoner train gpt --out runs/on --stage verdict --model reasoner/gpt --verdict-layers 8 \\
      --fresh --problems 50000 200000 --rollouts 1 --times 4 --verdict-steps 3600
                                                      the same on a GPU, from 750,000 problems
"""
EXAMPLE = "example:\n  reasoner train "
LABELS = "runs/labels.jsonl"


def train_arguments(parser: Parser) -> None:
    """The kinds of training, each with what it takes."""
    kinds = parser.add_subparsers(metavar="KIND", required=True, parser_class=Parser)

    def add(kind: Work, example: str, told: Told = _nothing_told) -> Parser:
        about = kind.__doc__
        made = kinds.add_parser(
            kind.__name__.replace("_", "-"), help=about, description=about, epilog=example,
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip
        made.set_defaults(kind=kind, told=told)
        return made

    data = f"--data {LABELS} --out runs"
    gpt_arguments(add(gpt, GPT))
    labels_arguments(add(labels, f"{EXAMPLE}labels --task dagmath --out {LABELS}", _labels_told))
    prm_arguments(add(prm, f"{EXAMPLE}prm {data}/prm", _reward_told))
    orm_arguments(add(orm, f"{EXAMPLE}orm {data}/orm", _reward_told))
    value_head_arguments(add(value_head, f"{EXAMPLE}value-head {data}/value-head", _head_told))


def train(args: argparse.Namespace) -> int:
    """Train the embedded GPT, or reward models; label solutions to train those on."""
    with stdout_for_json(args.json):
        found: Found = args.kind(args)
    if args.json:
        print_json(found)
    else:
        echo("\n".join([*args.told(found), f"written to {args.out}"]))
    return 1 if found.get("failed") else 0


def gpt(args: argparse.Namespace) -> Found:
    """Train the embedded GPT from scratch."""
    found: Found = _work("gpt.pipeline").run(args)
    return found


def labels(args: argparse.Namespace) -> Found:
    """Solve problems, and tell which steps of the solutions are right."""
    from reasoner.api import open_backend
    from reasoner.benchmarks.store.environment import describe
    from reasoner.registry import tasks as known
    from reasoner.train.progress import say

    work = _work("reward.step_labels")
    [task] = tasks([args.task], args)
    k = 0 if args.method == "exact" else args.k
    plan = work.Plan(
        task, known.make(task), args.problems, args.solutions, args.method, k,
        args.split, args.seed,
    )  # fmt: skip
    backend = open_backend(args.model, **engine(args))

    async def make() -> Found:
        try:
            found: Found = await work.make(
                plan, backend, args.out, policy(args), describe(args.argv), say
            )
            return found
        finally:
            await backend.aclose()

    return interruptible(make())


def prm(args: argparse.Namespace) -> Found:
    """Train a process reward model, for verifier `token-classifier`."""
    return _reward("prm", args, args.target)


def orm(args: argparse.Namespace) -> Found:
    """Train an outcome reward model, for verifier `orm`."""
    return _reward("orm", args)


def value_head(args: argparse.Namespace) -> Found:
    """Train a value head on the policy's own states."""
    from reasoner.benchmarks.store.environment import describe

    _refuse_early(args)
    found: Found = _work("reward.value_head").fit(
        args.data, _model(args), args.out, environment=describe(args.argv)
    )
    return found


def _reward(kind: str, args: argparse.Namespace, *settings: str) -> Found:
    from reasoner.benchmarks.store.environment import describe
    from reasoner.train.progress import say

    _refuse_early(args, args.test)
    recipe = _work("reward.recipe").Recipe(
        data=args.data, model=_model(args), out=args.out, test=args.test, epochs=args.epochs,
        batch=args.batch, rate=args.rate, init=args.init, seed=args.seed,
    )  # fmt: skip
    found: Found = _work(f"reward.{kind}").train(
        recipe, *settings, environment=describe(args.argv), report=say
    )
    return found


def _refuse_early(args: argparse.Namespace, *more: Path | None) -> None:
    """Look at the model and the solutions before PyTorch is imported, which takes seconds."""
    from reasoner.models.files import ModelFiles

    read = _work("reward.labelled_solutions").read
    ModelFiles(_model(args))
    for file in filter(None, (args.data, *more)):
        read(file)


def _model(args: argparse.Namespace) -> str:
    from reasoner.api import EMBEDDED

    return args.model or str(EMBEDDED)


def _work(kind: str) -> Any:
    """The module of a kind of training, with all it needs."""
    if find_spec("reasoner.train") is None:
        raise ConfigError("this installation holds no training code; install from the repository")
    try:
        return import_module(f"reasoner.train.{kind}")
    except ImportError as e:
        raise ConfigError(
            f"training needs {e.name}; install 'reasoner[cpu,train]', or gpu for cpu"
        ) from e


def _nothing_told(_: Found) -> list[str]:
    return []


def _reward_told(found: Found) -> list[str]:
    held, auc = found["held_out"], found["held_out"]["auc"]
    told = f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" if auc else "unknown"
    return [
        f"AUC {told} over {held['scores']} scores on {held['problems']} problems held out",
        f"--verifier {shlex.quote(found['verifier'])}",
    ]


def _head_told(found: Found) -> list[str]:
    *told, verifier = _reward_told(found)
    return [*told, f"--model {shlex.quote(found['policy'])} {verifier}"]


def _labels_told(found: Found) -> list[str]:
    steps = found["right_steps"]
    failed = [f"{found['failed']} problems failed; run it again for these"]
    return [
        f"{found['solutions']:,} solutions of {found['problems']:,} problems,"
        f" {found['correct']:.1%} of them right; {found['steps']:,} steps,"
        f" {0 if steps is None else steps:.1%} of them right; {found['tokens']:,} tokens generated",
        *(failed if found["failed"] else []),
    ]
