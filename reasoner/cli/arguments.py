"""What the commands take, and how a wrong argument is told."""

from __future__ import annotations

import argparse
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

STAGES = ("policy", "rollouts", "verdict", "evaluate")
ARMS = ("best-of-n:16", "best-of-n:64", "adaptive-best-of-n:64", "beam:8", "particle:16", "mcts:16")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"reasoner: {message}; see `{self.prog} --help`\n")


def solve_arguments(parser: Parser) -> None:
    """What `solve` takes."""
    parser.add_argument("problem", help="its text, or - to read it from standard input")
    parser.add_argument("--task", help="how solutions are written (default: one step per line)")
    parser.add_argument("--strategy", default="best-of-n")
    parser.add_argument("--n", type=_positive, help="the strategy's size")
    parser.add_argument("--budget", type=_budget, metavar="tokens=2000[,seconds=5]")
    _common_arguments(parser)


def bench_arguments(parser: Parser) -> None:
    """What `bench` takes."""
    parser.add_argument(
        "--strategy", type=_names, action="extend",
        help="such as mcts,beam(branch=4) (default: best-of-n and its kin, beam, particle, mcts)",
    )  # fmt: skip
    parser.add_argument(
        "--n", type=_sizes, action="extend", help="default: 1,2,4,...,64, and 4,8,16 for searches"
    )
    parser.add_argument(
        "--search-n", type=_named_sizes, action="append", metavar="[STRATEGY=]4,8,16",
        help="sizes of searches, or of one (default: those of --n; without, 4,8,16); repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--budget", type=_budget, action="append", metavar="tokens=2000",
        help="adds a point at the largest N within this budget; repeatable",
    )  # fmt: skip
    _grid_arguments(parser, "test", 64, Path("runs/bench"))


def fit_arguments(parser: Parser) -> None:
    """What `fit-auto` takes."""
    parser.add_argument(
        "--arms", type=_names, action="extend", metavar="NAME:N,...",
        help=f"what a problem may get after the probe (default: {','.join(ARMS)})",
    )  # fmt: skip
    parser.add_argument(
        "--probe", type=_positive, default=4, help="samples that tell the difficulty (default: 4)"
    )
    parser.add_argument(
        "--bins", type=_positive, default=5, help="kinds of difficulty (default: 5)"
    )
    parser.add_argument(
        "--tolerance", type=_share, default=0.01,
        help="accuracy a cheaper arm may lose (default: 0.01)",
    )  # fmt: skip
    _grid_arguments(parser, "dev", 200, Path("runs/fit-auto"))


def eval_arguments(parser: Parser) -> None:
    """What `eval-verifier` takes."""
    parser.add_argument(
        "--n", type=_positive, default=64, help="solutions per problem (default: 64)"
    )
    parser.add_argument(
        "--dev-problems", type=_positive, default=64,
        help="dev problems per task, on which a threshold is chosen (default: 64)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", choices=("prefixes", "whole"), default="prefixes",
        help="score each step as the solution so far, or take a whole one's (default: prefixes)",
    )  # fmt: skip
    _grid_arguments(parser, "test", 64, Path("runs/eval-verifier"))


def compare_arguments(parser: Parser) -> None:
    """What `compare` takes."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="what `bench --out` wrote")
    parser.add_argument(
        "--n", type=_sizes, action="extend",
        help="compare at what best-of-N costs at these sizes (default: 4,16,64)",
    )  # fmt: skip
    json_argument(parser)


def gpt_arguments(parser: Parser) -> None:
    """What `train gpt` takes."""
    add = parser.add_argument
    add("--out", type=Path, default=Path("runs/train"), help="where checkpoints and the model go")
    add("--stage", choices=STAGES, help="run this stage only (default: all in order)")
    add("--steps", type=int, default=1600, help="pre-training steps")
    add("--verdict-steps", type=int, default=800, help="steps of learning to judge")
    add("--verdict-layers", type=int, default=2, help="layers that learn to judge, the upper ones")
    add(
        "--problems", type=int, nargs=2, default=(3200, 4800), metavar=("DAGMATH", "COUNTDOWN"),
        help="problems to roll out",
    )  # fmt: skip
    add("--rollouts", type=int, default=4, help="rollouts a problem")
    add("--test-problems", type=int, default=1000, help="problems a task to evaluate on")
    add("--model", type=Path, help="a finished model: to evaluate, or to train further")
    add("--eager", action="store_true", help="compile nothing: for short runs")
    add("--seed", type=int, default=0)
    json_argument(parser)


def labels_arguments(parser: Parser) -> None:
    """What `train labels` takes."""
    add = parser.add_argument
    add("--task", required=True, help="whose problems to solve; `reasoner list tasks` names them")
    add("--split", default="train", help="default: train")
    add("--problems", type=_positive, default=1000, help="default: 1000")
    add("--solutions", type=_positive, default=8, help="solutions per problem (default: 8)")
    add(
        "--method", choices=("monte-carlo", "omega", "exact"), default="monte-carlo",
        help="continue every step, or search for the first error, or ask the task",
    )  # fmt: skip
    add("--k", type=_positive, default=8, help="continuations of a step (default: 8)")
    add("--out", type=Path, default=Path("runs/labels.jsonl"), metavar="FILE.jsonl")
    _model_arguments(parser)


def prm_arguments(parser: Parser) -> None:
    """What `train prm` takes."""
    parser.add_argument(
        "--target", choices=("soft", "hard"), default="soft",
        help="learn a step's value, or its label (default: soft)",
    )  # fmt: skip
    _reward_arguments(parser, "runs/prm")


def orm_arguments(parser: Parser) -> None:
    """What `train orm` takes."""
    _reward_arguments(parser, "runs/orm")


def _reward_arguments(parser: Parser, out: str) -> None:
    add = parser.add_argument
    _data_arguments(parser, out)
    add(
        "--test", type=Path, metavar="FILE.jsonl",
        help="what to measure on (default: the solutions of a tenth of the problems, held out)",
    )  # fmt: skip
    add("--epochs", type=_positive, default=3, help="default: 3")
    add("--batch", type=_positive, default=16, help="solutions per step (default: 16)")
    add("--rate", type=_rate, help="default: 1e-5, or 1e-3 for less than 100M parameters")
    add(
        "--init", choices=("pretrained", "random"), default="pretrained",
        help="begin with the model's weights, or with none (default: pretrained)",
    )  # fmt: skip
    add("--seed", type=int, default=0)
    json_argument(parser)


def value_head_arguments(parser: Parser) -> None:
    """What `train value-head` takes."""
    _data_arguments(parser, "runs/value-head")
    json_argument(parser)


def _data_arguments(parser: Parser, out: str) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FILE.jsonl", help="what `train labels` wrote")
    add("--model", help="a folder or name (default: the embedded GPT)")
    add("--out", type=Path, default=Path(out), metavar="DIR", help=f"default: {out}")


def _grid_arguments(parser: Parser, split: str, problems: int, out: Path) -> None:
    parser.add_argument("--task", type=_names, action="extend", help="default: countdown,dagmath")
    parser.add_argument(
        "--problems", type=_positive, default=problems,
        help=f"{split} problems per task (default: {problems})",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=out, metavar="DIR")
    parser.add_argument(
        "--concurrency", type=_positive, default=128, help="problems in flight (default: 128)"
    )
    _common_arguments(parser)


def _common_arguments(parser: Parser) -> None:
    parser.add_argument("--verifier", help="default: verdict")
    _model_arguments(parser)


def _model_arguments(parser: Parser) -> None:
    parser.add_argument("--model", help="a folder or name (default: the embedded GPT)")
    parser.add_argument("--backend", help="default: vllm, or openai with --base-url")
    parser.add_argument("--base-url", help="an OpenAI-compatible server")
    parser.add_argument("--seed", type=int, default=0)
    json_argument(parser)


def json_argument(parser: Parser) -> None:
    """What every command takes."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def engine(args: argparse.Namespace) -> dict[str, Any]:
    """What `Reasoner` is to be told of the backend."""
    url = {"base_url": args.base_url} if args.base_url else {}
    return {"backend": args.backend or _default_backend(args), **url}


def policy(args: argparse.Namespace) -> dict[str, str]:
    """What tells the model apart from others in records."""
    from reasoner.api import EMBEDDED
    from reasoner.backends.checkpoint import fingerprint

    weights = "" if args.base_url else fingerprint(Path(args.model or EMBEDDED).expanduser())
    return {
        "model": args.model or "embedded",
        "weights": weights,
        "backend": engine(args)["backend"],
    }


def _default_backend(args: argparse.Namespace) -> str:
    if args.base_url:
        return "openai"
    return "scripted" if args.model == "scripted" else "vllm"


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return share


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a learning rate such as 1e-5")
    return rate


def _sizes(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _named_sizes(text: str) -> tuple[str, list[int]]:
    name, _, sizes = text.rpartition("=")
    return name, _sizes(sizes)


def _names(text: str) -> list[str]:
    from reasoner.registry import listed

    return listed(text)


def _budget(text: str) -> dict[str, float]:
    return dict(_ceiling(part) for part in text.split(","))


def _ceiling(text: str) -> tuple[str, float]:
    from reasoner.budget import Budget

    name, _, value = text.partition("=")
    known = [f.name for f in fields(Budget)]
    if name not in known:
        near = get_close_matches(name, known)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise argparse.ArgumentTypeError(f"no budget named {name!r}; {hint}")
    try:
        number = float(value)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a budget is a positive number")
    return name, int(number) if name in ("tokens", "requests") else number
