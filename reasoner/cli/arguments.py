"""What the commands take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from reasoner.cli.parser import Parser
from reasoner.cli.parsing import (
    budget,
    formats,
    named_sizes,
    names,
    positive,
    price,
    rate,
    seed,
    share,
    sizes,
    text,
    whole,
)
from reasoner.cli.places import document, folder, output, place, run
from reasoner.errors import ConfigError
from reasoner.naming import format_spec
from reasoner.terminal import complain

LAYERS = 1000
"""More than any model has."""
STAGES = ("policy", "rollouts", "verdict", "evaluate")
ARMS = (
    "best-of-n:16",
    "best-of-n:64",
    "adaptive-best-of-n:64",
    "beam:8",
    "particle:16",
    "step-rejection:64",
)
SPLIT_HELP = "train, dev (for choices), test or final (for headlines), as far as the task has it"


def solve_arguments(parser: Parser) -> None:
    """What `solve` takes."""
    parser.add_argument("problem", help="its text, or - to read it from standard input")
    parser.add_argument(
        "--task", type=text, help="how solutions are written (default: one step per line)"
    )
    parser.add_argument("--strategy", type=text, default="best-of-n")
    parser.add_argument("--n", type=positive, help="the strategy's size")
    parser.add_argument("--budget", type=budget, metavar="tokens=2000[,seconds=5]")
    _common_arguments(parser)


def bench_arguments(parser: Parser) -> None:
    """What `bench` takes."""
    parser.add_argument(
        "--spec", type=document, metavar="FILE.yaml",
        help="a run as a file, such as the spec.yaml of a folder of results; flags beside it win",
    )  # fmt: skip
    parser.add_argument(
        "--strategy", type=names, action="extend",
        help="such as mcts,beam(branch=4) (default: best-of-n and its kin, beam, particle, mcts)",
    )  # fmt: skip
    parser.add_argument(
        "--n", type=sizes, action="extend", help="default: 1,2,4,...,64, and 4,8,16 for searches"
    )
    parser.add_argument(
        "--search-n", type=named_sizes, action="append", metavar="[STRATEGY=]4,8,16",
        help="sizes of searches, or of one (default: those of --n; without, 4,8,16); repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--search-problems", type=positive, metavar="COUNT",
        help="problems that searches attempt, the first ones (default: those of --problems)",
    )  # fmt: skip
    parser.add_argument(
        "--budget", type=budget, action="append", metavar="tokens=2000",
        help="adds a point at the largest N within this budget; repeatable",
    )  # fmt: skip
    _grid_arguments(parser, "test", 64, Path("runs/bench"))
    # What no flag says, a file may: `cli.run_spec` has the defaults.
    parser.set_defaults(split=None, problems=None, out=None, concurrency=None, seed=None)


def fit_arguments(parser: Parser) -> None:
    """What `fit-auto` takes."""
    parser.add_argument(
        "--arms", type=names, action="extend", metavar="NAME:N,...",
        help=f"what a problem may get after the probe (default: {','.join(ARMS)})",
    )  # fmt: skip
    parser.add_argument(
        "--probe", type=positive, default=4, help="samples that tell the difficulty (default: 4)"
    )
    parser.add_argument("--bins", type=positive, default=5, help="kinds of difficulty (default: 5)")
    parser.add_argument(
        "--tolerance", type=share, default=0.01,
        help="accuracy a cheaper arm may lose (default: 0.01)",
    )  # fmt: skip
    _grid_arguments(parser, "dev", 200, Path("runs/fit-auto"))


def eval_arguments(parser: Parser) -> None:
    """What `eval-verifier` takes."""
    parser.add_argument(
        "--n", type=positive, default=64, help="solutions per problem (default: 64)"
    )
    parser.add_argument(
        "--dev-problems", type=positive, default=64,
        help="further dev problems per task, on which a threshold is chosen (default: 64)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", choices=("prefixes", "whole"), default="prefixes",
        help="score each step as the solution so far, or take a whole one's (default: prefixes)",
    )  # fmt: skip
    _grid_arguments(parser, "dev", 64, Path("runs/eval-verifier"))


def compare_arguments(parser: Parser) -> None:
    """What `compare` takes."""
    parser.add_argument(
        "dir", type=run, nargs="+", metavar="DIR",
        help="what `bench --out` wrote; of several runs, the first one's best-of-N counts",
    )  # fmt: skip
    parser.add_argument("--out", type=folder, metavar="DIR", help="default: the first DIR")
    parser.add_argument(
        "--n", type=sizes, action="extend",
        help="compare strategies in these sizes only (default: in all that were run)",
    )  # fmt: skip
    json_argument(parser)


def plot_arguments(parser: Parser) -> None:
    """What `plot` takes."""
    parser.add_argument("dir", type=run, metavar="DIR", help="what `bench --out` wrote")
    parser.add_argument(
        "--against", type=names, action="extend", metavar="tokens,flops,seconds,samples,price",
        help="costs to draw against (default: tokens and FLOPs, and the price if there is one)",
    )  # fmt: skip
    parser.add_argument(
        "--price", type=price, metavar="prompt=0.15,generated=0.6",
        help="of a million tokens; also cached= and verifier=",
    )  # fmt: skip
    parser.add_argument(
        "--format", type=formats, action="extend", help="png,svg,pdf (default: png,svg)"
    )
    json_argument(parser)


def gpt_arguments(parser: Parser) -> None:
    """What `train gpt` takes."""
    add = parser.add_argument
    add("--out", type=folder, default=Path("runs/train"), help="where checkpoints and the model go")
    add("--stage", choices=STAGES, help="run this stage only (default: all in order)")
    add("--steps", type=positive, default=1600, help="pre-training steps")
    add("--verdict-steps", type=positive, default=800, help="steps of learning to judge")
    add(
        "--verdict-layers", type=whole(1, LAYERS, "a number of layers"), default=2,
        help="layers that learn to judge, the upper ones",
    )  # fmt: skip
    add(
        "--problems", type=positive, nargs=2, default=(3200, 4800), metavar=("DAGMATH", "COUNTDOWN"),
        help="problems to roll out",
    )  # fmt: skip
    add("--rollouts", type=positive, default=4, help="rollouts a problem")
    add(
        "--fresh", action="store_true",
        help="draw rollouts of so many new --problems whenever the last were seen --times (on a GPU)",
    )  # fmt: skip
    add("--times", type=positive, default=3, help="how often a fresh rollout is learned from")
    add("--test-problems", type=positive, default=1000, help="problems a task to evaluate on")
    add("--split", type=text, default="dev", help=f"{SPLIT_HELP}, to evaluate on (default: dev)")
    add("--model", type=run, help="a finished model: to evaluate, or to train further")
    add("--eager", action="store_true", help="compile nothing: for short runs")
    add("--seed", type=seed, default=0)
    json_argument(parser)


def labels_arguments(parser: Parser) -> None:
    """What `train labels` takes."""
    add = parser.add_argument
    add(
        "--task",
        type=text,
        required=True,
        help="whose problems to solve; `reasoner list tasks` names them",
    )
    _source_arguments(parser)
    add("--split", type=text, default="train", help="default: train")
    add("--problems", type=positive, default=1000, help="default: 1000")
    add("--solutions", type=positive, default=8, help="solutions per problem (default: 8)")
    add(
        "--method", choices=("monte-carlo", "omega", "exact"), default="monte-carlo",
        help="continue every step, or search for the first error, or ask the task",
    )  # fmt: skip
    add("--k", type=positive, default=8, help="continuations of a step (default: 8)")
    add("--out", type=output, default=Path("runs/labels.jsonl"), metavar="FILE.jsonl")
    model_arguments(parser)


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
        "--test", type=document, metavar="FILE.jsonl",
        help="what to measure on (default: the solutions of a tenth of the problems, held out)",
    )  # fmt: skip
    add("--epochs", type=positive, default=3, help="default: 3")
    add("--batch", type=positive, default=16, help="solutions per step (default: 16)")
    add("--rate", type=rate, help="default: 1e-5, or 1e-3 for less than 100M parameters")
    add(
        "--init", choices=("pretrained", "random"), default="pretrained",
        help="begin with the model's weights, or with none (default: pretrained)",
    )  # fmt: skip
    add("--seed", type=seed, default=0)
    json_argument(parser)


def value_head_arguments(parser: Parser) -> None:
    """What `train value-head` takes."""
    _data_arguments(parser, "runs/value-head")
    json_argument(parser)


def _data_arguments(parser: Parser, out: str) -> None:
    add = parser.add_argument
    add(
        "--data",
        type=document,
        required=True,
        metavar="FILE.jsonl",
        help="what `train labels` wrote",
    )
    add("--model", type=place, help="a folder or name (default: the embedded GPT)")
    add("--out", type=folder, default=Path(out), metavar="DIR", help=f"default: {out}")


def _grid_arguments(parser: Parser, split: str, problems: int, out: Path) -> None:
    parser.add_argument("--task", type=names, action="extend", help="default: countdown,dagmath")
    _source_arguments(parser)
    parser.add_argument("--split", default=split, help=f"{SPLIT_HELP} (default: {split})")
    parser.add_argument(
        "--problems", type=positive, default=problems,
        help=f"problems per task, the first of the split (default: {problems})",
    )  # fmt: skip
    parser.add_argument("--out", type=folder, default=out, metavar="DIR")
    parser.add_argument(
        "--concurrency", type=positive, default=128, help="problems in flight (default: 128)"
    )
    _common_arguments(parser)


def _source_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--data", type=place, help="where the task's problems are: a file, a folder, a data set"
    )
    for part in ("question", "answer"):
        parser.add_argument(
            f"--{part}-field", type=text, metavar="NAME", help=f"what the data calls its {part}s"
        )


def tasks(named: list[str], args: argparse.Namespace) -> list[str]:
    """The tasks asked for, with what the other options say of their data.

    Raises:
        ConfigError: it is said of several tasks at once.
    """
    parts = ("data", "question_field", "answer_field")
    told = {part: value for part in parts if (value := getattr(args, part)) is not None}
    if told and len(named) != 1:
        option = next(iter(told)).replace("_", "-")
        raise ConfigError(
            f"--{option} is for one task, and there are {', '.join(named)}; use --task"
        )
    return [format_spec(name, told) for name in named] if told else named


def _common_arguments(parser: Parser) -> None:
    parser.add_argument("--verifier", type=text, help="default: verdict")
    model_arguments(parser)


def model_arguments(parser: Parser) -> None:
    """What every command with a model takes."""
    parser.add_argument("--model", type=place, help="a folder or name (default: the embedded GPT)")
    parser.add_argument("--backend", type=text, help="default: vllm, or openai with --base-url")
    parser.add_argument("--base-url", type=text, help="an OpenAI-compatible server")
    parser.add_argument("--seed", type=seed, default=0)
    json_argument(parser)


COMPONENTS = ("backend", "base_url", "verifier", "strategy", "task", "arms", "model", "data")
"""Arguments whose settings or address may hold a secret."""


def without_secrets(args: argparse.Namespace) -> argparse.Namespace:
    """Put references in the place of secrets among `args`, and warn that others saw them."""
    from reasoner.secret_settings import hidden

    given = {name: value for name in COMPONENTS if (value := getattr(args, name, None)) is not None}
    replaced = hidden(given)
    if replaced is not given:
        complain(
            "warning: other users of this machine see a secret on the command line; put it in an"
            " environment variable, OPENAI_API_KEY or one that you name: api_key='env:MY_KEY'"
        )
    return argparse.Namespace(**vars(args) | replaced)


def json_argument(parser: Parser) -> None:
    """What every command takes."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def engine(args: argparse.Namespace) -> dict[str, Any]:
    """What `Reasoner` is to be told of the backend."""
    if args.base_url:
        return {"backend": args.backend or "openai", "base_url": args.base_url}
    return {"backend": args.backend or ("scripted" if args.model == "scripted" else "vllm")}


def policy(args: argparse.Namespace) -> dict[str, str]:
    """What tells the model apart from others in records."""
    from reasoner.api import EMBEDDED
    from reasoner.backends.checkpoint import fingerprint
    from reasoner.secret_settings import keyless

    weights = "" if args.base_url else fingerprint(Path(args.model or EMBEDDED).expanduser())
    return {
        "model": args.model or "embedded",
        "weights": weights,
        "backend": keyless(engine(args)["backend"]),
    }
