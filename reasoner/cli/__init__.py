"""The command line: solve, bench, plot, compare, import-pool, rerank, and so on."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from reasoner.cli.arguments import (
    ARMS,
    bench_arguments,
    compare_arguments,
    engine,
    eval_arguments,
    fit_arguments,
    json_argument,
    plot_arguments,
    policy,
    solve_arguments,
    tasks,
    without_secrets,
)
from reasoner.cli.failure import foreseen, unforeseen
from reasoner.cli.interrupt import MESSAGE, interruptible, kill_children
from reasoner.cli.output import (
    about,
    console,
    print_json,
    print_result,
    result_json,
    stdout_for_json,
    step,
)
from reasoner.cli.parser import Parser, piped, refuse_unreadable
from reasoner.cli.results import stored_commands
from reasoner.cli.train import train, train_arguments
from reasoner.errors import BackendError, ConfigError, ReasonerError
from reasoner.terminal import complain, echo, encode_anything

if TYPE_CHECKING:
    from reasoner.api import Reasoner
    from reasoner.benchmarks.runner.scheduler import Tally
    from reasoner.benchmarks.store.grid import Grid
    from reasoner.benchmarks.store.judgements import Plan
    from reasoner.cli.run_spec import RunSpec
    from reasoner.events import Result

KINDS = ("strategies", "verifiers", "backends", "tasks")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    The exit code is 2 for bad input, 130 after Ctrl-C, and 70 for what is a bug of this program.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:  # As a program of its own, a polite kill is a Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    encode_anything()
    try:
        return _run(arguments)
    except SystemExit as e:  # argparse's own endings
        return e.code if isinstance(e.code, int) else 0
    except KeyboardInterrupt:
        kill_children()
        print(MESSAGE, file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ReasonerError as e:
        complain(str(e))
        return 2
    except Exception as e:
        return foreseen(e) or unforeseen(e, arguments)


def _run(arguments: Sequence[str]) -> int:
    for word in arguments:
        refuse_unreadable(word)
    args = without_secrets(_parser().parse_args(arguments))
    args.argv = arguments
    code: int = args.run(args)
    sys.stdout.flush()
    return code


# -- commands -----------------------------------------------------------------------------------


def solve(args: argparse.Namespace) -> int:
    """Solve one problem and show how."""
    from reasoner.api import Reasoner
    from reasoner.benchmarks.runner.components import sized

    with stdout_for_json(args.json):
        reasoner = Reasoner(
            args.model,
            strategy=sized(args.strategy, args.n),
            verifier=_verifier(args),
            task=args.task,
            seed=args.seed,
            **engine(args),
        )
        text = piped() if args.problem == "-" else args.problem
        result = interruptible(_follow(reasoner, text, args))
    if result.candidate is None and result.error:
        raise BackendError(result.error)
    print_json(result_json(text, result)) if args.json else print_result(result)
    if result.error:
        complain(f"stopped early: {result.error}")
    return 1 if result.error else 0


def bench(args: argparse.Namespace) -> int:
    """Run a grid of experiments and draw its curves."""
    from reasoner.benchmarks.reports.bench import report
    from reasoner.benchmarks.store.run_folder import RunFolder
    from reasoner.cli.run_spec import asked

    spec = asked(args)
    args = argparse.Namespace(**vars(args) | spec.model_dump())
    grid = _grid(args)
    spec.refuse_other(grid.weights)
    with stdout_for_json(args.json):
        interruptible(_bench(args, grid, spec.settled(grid)))
        found = report(RunFolder(args.out, grid))
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def plot(args: argparse.Namespace) -> int:
    """Draw the curves of an earlier benchmark again."""
    from reasoner.benchmarks.analysis.cost_axes import Price
    from reasoner.benchmarks.plots.style import FORMATS
    from reasoner.benchmarks.reports.bench import Drawing, report
    from reasoner.benchmarks.store.run_folder import RunFolder

    price = Price(**args.price) if args.price else None
    drawing = Drawing(args.against or (), price, args.format or FORMATS)
    found = report(RunFolder(args.dir), drawing)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def compare(args: argparse.Namespace) -> int:
    """Compare strategies with best-of-N at equal cost, problem by problem, and runs with one another."""
    from reasoner.benchmarks.reports.compare import comparison
    from reasoner.benchmarks.store.run_folder import RunFolder

    runs = [RunFolder(path) for path in args.dir]
    found = comparison(runs, args.out or args.dir[0], args.n or ())
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def eval_verifier(args: argparse.Namespace) -> int:
    """Measure what a verifier is worth: on steps, on solutions, and in choosing among them."""
    from reasoner.benchmarks.reports.eval_verifier import diagnose
    from reasoner.benchmarks.store.judgements import Plan

    plan = Plan.of(args.n, steps=args.steps, tuning=args.dev_problems, **_setting(args))
    with stdout_for_json(args.json):
        interruptible(_judge(args, plan))
        found = diagnose(plan, args.out)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def fit_auto(args: argparse.Namespace) -> int:
    """Learn which search each difficulty gets, for strategy `auto`."""
    from reasoner.benchmarks.analysis.fit_auto import arm_grid, fit

    if str(args.out).endswith(".json"):
        raise ConfigError(f"--out {args.out} is a folder for results; the table is its auto.json")
    grid = arm_grid(args.arms or ARMS, args.probe, **_setting(args))
    with stdout_for_json(args.json):
        interruptible(_bench(args, grid))
        found = fit(grid, args.out, bins=args.bins, tolerance=args.tolerance)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def list_(args: argparse.Namespace) -> int:
    """Name the components there are."""
    from reasoner import registry

    kinds = [args.kind] if args.kind else KINDS
    found = {
        k: {n: about(getattr(registry, k), n) for n in getattr(registry, k).names()} for k in kinds
    }
    if args.json:
        print_json(found)
        return 0
    for kind, names in found.items():
        echo(kind)
        width = max(map(len, names), default=0) + 2
        for name, told in names.items():
            echo(f"  {name:<{width}}{told}")
    return 0


# -- what they do -------------------------------------------------------------------------------


async def _follow(reasoner: Reasoner, text: str, args: argparse.Namespace) -> Result:
    from reasoner.budget import Budget
    from reasoner.events import Done, StepSampled, StepScored

    shown: type[StepSampled | StepScored]
    shown = StepScored if reasoner.verifier else StepSampled
    result: Result | None = None
    budget = Budget(**args.budget) if args.budget else None
    try:
        async for event in reasoner.astream(text, budget):
            if isinstance(event, Done):
                result = event.result
            elif isinstance(event, shown) and not args.json:
                echo(step(event.node))
    finally:
        await reasoner.aclose()
    assert result is not None, "a stream ends with Done"
    return result


async def _bench(args: argparse.Namespace, grid: Grid, spec: RunSpec | None = None) -> Tally:
    from reasoner.api import Reasoner
    from reasoner.base import release
    from reasoner.benchmarks.runner import bench as experiment
    from reasoner.benchmarks.runner.components import Solvers
    from reasoner.benchmarks.store import environment
    from reasoner.benchmarks.store.owner import refuse_others

    solvers = Solvers(grid)
    backend = Reasoner(args.model, **engine(args)).backend
    told = environment.model(backend, grid.model, grid.weights)
    made = {**environment.describe(args.argv), "model": told}
    refuse_others(args.out, grid.command)
    if spec:
        spec.save(args.out)
        made["spec"] = spec.key
    async with AsyncExitStack() as stack:
        stack.push_async_callback(release, backend, solvers)
        solvers.engine_use.keep(args.out)
        stack.callback(solvers.engine_use.save)
        return await experiment.run(
            grid, args.out, solvers, backend, concurrency=args.concurrency, environment=made
        )


async def _judge(args: argparse.Namespace, plan: Plan) -> Tally:
    from reasoner.api import Reasoner
    from reasoner.benchmarks.runner import eval_verifier as judging
    from reasoner.benchmarks.store import environment

    backend = Reasoner(args.model, **engine(args)).backend
    try:
        return await judging.run(
            plan,
            args.out,
            backend,
            concurrency=args.concurrency,
            environment=environment.describe(args.argv),
        )
    finally:
        await backend.aclose()


def _grid(args: argparse.Namespace) -> Grid:
    from reasoner.benchmarks.store.grid import Grid
    from reasoner.cli.run_spec import OTHERS

    sizes = dict(args.search_n)
    chosen: dict[str, Any] = {
        "strategies": args.strategy,
        "ns": args.n and sorted(set(args.n)),
        "search_ns": sizes.pop(OTHERS, () if args.n else None),
        "own_ns": sizes,
        "search_problems": args.search_problems,
        "budgets": args.budget,
    }
    grid = Grid(**{k: v for k, v in chosen.items() if v is not None}, **_setting(args))
    if unknown := sorted(sizes.keys() - set(grid.searches)):
        raise ConfigError(
            f"--search-n is for {', '.join(unknown)}, and the searches are"
            f" {', '.join(grid.searches) or 'none'}; name it in --strategy too"
        )
    return grid


def _setting(args: argparse.Namespace) -> dict[str, Any]:
    """What every experiment of a grid has in common, defaults left out."""
    from reasoner import registry
    from reasoner.benchmarks.store.grid import Grid

    names = tasks([*(args.task or Grid().tasks)], args)
    chosen: dict[str, Any] = {
        "tasks": names,
        "sampling": {name: registry.tasks.make(name).sampling for name in names},
        "split": args.split,
        "problems": args.problems,
        **policy(args),
        "verifier": args.verifier,
        "seed": args.seed,
    }
    return {k: v for k, v in chosen.items() if v is not None}


def _verifier(args: argparse.Namespace) -> str | None:
    from reasoner.registry import strategies
    from reasoner.run import verified

    if args.verifier == "oracle":
        raise ConfigError("verifier 'oracle' needs reference answers; use it with `reasoner bench`")
    return args.verifier if verified(strategies.load(args.strategy)) else None


# -- the parser ---------------------------------------------------------------------------------


def _parser() -> Parser:
    parser = Parser(prog="reasoner", description="Spend more inference compute on a GPT.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def add(name: str, run: Callable[[argparse.Namespace], int], example: str) -> Parser:
        told = run.__doc__
        made = commands.add_parser(
            name, help=told, description=told, epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip
        made.set_defaults(run=run)
        return made

    solve_arguments(
        add("solve", solve, "reasoner solve 'cd:12,3,25,7,4=306' --strategy beam --n 16")
    )
    bench_arguments(add("bench", bench, "reasoner bench --task dagmath --n 1,4,16 --out runs/mine"))
    compare_arguments(add("compare", compare, "reasoner compare runs/mine --n 4,16"))
    eval_arguments(add("eval-verifier", eval_verifier, "reasoner eval-verifier --out runs/eval"))
    fit_arguments(add("fit-auto", fit_auto, "reasoner fit-auto --problems 200 --out runs/fit-auto"))
    listing = add("list", list_, "reasoner list strategies")
    listing.add_argument("kind", nargs="?", choices=KINDS, help="one kind only")
    json_argument(listing)
    plot_arguments(add("plot", plot, "reasoner plot runs/mine --against seconds --format pdf"))
    stored_commands(add)
    train_arguments(add("train", train, "reasoner train prm --data runs/labels.jsonl"))
    return parser
