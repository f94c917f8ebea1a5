"""The commands on stored results: `import-pool`, `export-pool`, `rerank`, `inspect`, `report`, `scaling`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from reasoner.cli.arguments import engine, json_argument, model_arguments
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import console, print_json, stdout_for_json
from reasoner.cli.parser import Parser
from reasoner.cli.parsing import positive, share, sizes, text
from reasoner.cli.places import document, folder, output, run
from reasoner.terminal import echo

PARTS = ("id", "question", "answer", "completions")
Add = Callable[[str, Callable[[argparse.Namespace], int], str], Parser]
"""Adds a command from its name, the function that runs it, and an example."""


def stored_commands(add: Add) -> None:
    """Add the commands with their arguments."""
    pool = "reasoner import-pool solutions.jsonl --task gsm8k"
    _import_arguments(add("import-pool", import_pool, pool))
    pool = "reasoner export-pool runs/mine --task dagmath --out pool.jsonl"
    _export_arguments(add("export-pool", export_pool, pool))
    _rerank_arguments(add("rerank", rerank, "reasoner rerank runs/mine --verifier arithmetic"))
    _inspect_arguments(add("inspect", inspect, "reasoner inspect runs/mine 7 --strategy beam"))
    _report_arguments(add("report", report, "reasoner report runs/mine"))
    _scaling_arguments(add("scaling", scaling, "reasoner scaling runs/mine --accuracy 0.9"))


def _import_arguments(parser: Parser) -> None:
    """Add the arguments of `import-pool`."""
    add = parser.add_argument
    add("file", type=document, metavar="FILE", help="JSON lines, one problem a line")
    add(
        "--task",
        type=text,
        required=True,
        help="grades the solutions; `reasoner list tasks` names them",
    )
    add(
        "--out",
        type=folder,
        metavar="DIR",
        help="where the run goes (default: runs/ and the file's name)",
    )
    add(
        "--aggregate", choices=("last", "min", "prod", "mean"), default="last",
        help="what scores of steps come to, where a solution has no score (default: last)",
    )  # fmt: skip
    for part in PARTS:
        add(f"--{part}-field", type=text, metavar="NAME", help=f"where a line has its {part}")
    json_argument(parser)


def _export_arguments(parser: Parser) -> None:
    """Add the arguments of `export-pool`."""
    parser.add_argument("dir", type=run, metavar="DIR", help="what `bench --out` wrote")
    parser.add_argument("--task", type=text, help="whose pool, if the run has several tasks")
    parser.add_argument("--out", type=output, required=True, metavar="FILE.jsonl")
    json_argument(parser)


def _rerank_arguments(parser: Parser) -> None:
    """Add the arguments of `rerank`."""
    add = parser.add_argument
    add("dir", type=run, metavar="DIR", help="what `bench --out` or `import-pool` wrote")
    add("--verifier", type=text, required=True, help="`reasoner list verifiers` names them")
    add("--out", type=folder, metavar="DIR", help="default: DIR and the verifier's name")
    add("--concurrency", type=positive, default=128, help="problems in flight (default: 128)")
    model_arguments(parser)


def _inspect_arguments(parser: Parser) -> None:
    """Add the arguments of `inspect`."""
    add = parser.add_argument
    add("dir", type=run, metavar="DIR", help="what `bench --out` wrote")
    add("problem", metavar="PROBLEM", help="its id, or its number in the split, from 0")
    add("--task", type=text, help="whose problem, if the run has several tasks")
    add("--strategy", type=text, help="whose tree or samples to show (default: list all attempts)")
    add("--n", type=positive, help="in which size (default: the largest)")
    json_argument(parser)


def _report_arguments(parser: Parser) -> None:
    """Add the arguments of `report`."""
    add = parser.add_argument
    add("dir", type=run, metavar="DIR", help="what `bench --out` wrote")
    add("--out", type=output, metavar="FILE.html", help="default: report.html in DIR")
    add(
        "--problems", type=positive, default=24,
        help="problems a task with their trees and samples: most of the file (default: 24)",
    )  # fmt: skip
    json_argument(parser)


def _scaling_arguments(parser: Parser) -> None:
    """Add the arguments of `scaling`."""
    add = parser.add_argument
    add("dir", type=run, metavar="DIR", help="what `bench --out` wrote")
    add("--n", type=sizes, action="extend", help="these sizes only (default: all)")
    add(
        "--accuracy", type=share, metavar="SHARE",
        help="where to compare compute (default: what best-of-N has in its largest size)",
    )  # fmt: skip
    add("--out", type=folder, metavar="DIR", help="where scaling.json goes (default: DIR)")
    json_argument(parser)


def import_pool(args: argparse.Namespace) -> int:
    """Grade recorded solutions and estimate the metrics at every number of samples."""
    from reasoner.benchmarks.reports.pool import every_k
    from reasoner.benchmarks.store import pools as recorded
    from reasoner.benchmarks.store.environment import describe
    from reasoner.benchmarks.store.run_folder import RunFolder

    fields = {p: name for p in PARTS if (name := getattr(args, f"{p}_field"))}
    importing = recorded.Importing(args.task, args.aggregate, fields)
    out = args.out or Path("runs") / args.file.stem
    with stdout_for_json(args.json):
        grid = recorded.import_pool(args.file, importing, out, describe(args.argv))
        found = every_k(RunFolder(out, grid), args.task)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def export_pool(args: argparse.Namespace) -> int:
    """Write a run's solutions as recorded ones."""
    from reasoner.benchmarks.store.pool_file import write_pool
    from reasoner.benchmarks.store.pools import export_pool
    from reasoner.benchmarks.store.run_folder import RunFolder

    pool = list(export_pool(RunFolder(args.dir), args.task or ""))
    write_pool(pool, args.out)
    samples = sum(len(problem.completions) for problem in pool)
    if args.json:
        print_json({"problems": len(pool), "samples": samples, "file": str(args.out)})
    else:
        echo(f"{len(pool)} problems, {samples} solutions written to {args.out}")
    return 0


def rerank(args: argparse.Namespace) -> int:
    """Have another verifier choose among the solutions of a run; nothing is sampled."""
    from reasoner.api import Reasoner
    from reasoner.benchmarks.reports.bench import report
    from reasoner.benchmarks.runner import rerank as reranking
    from reasoner.benchmarks.store.environment import describe
    from reasoner.benchmarks.store.run_folder import RunFolder
    from reasoner.naming import called

    out = args.out or args.dir.with_name(f"{args.dir.name}-{called(args.verifier)[0]}")
    backend = Reasoner(args.model, **engine(args)).backend
    with stdout_for_json(args.json):
        scoring = reranking.rerank(
            RunFolder(args.dir), args.verifier, out, backend,
            concurrency=args.concurrency, environment=describe(args.argv),
        )  # fmt: skip
        found = report(RunFolder(out, interruptible(scoring)))
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def inspect(args: argparse.Namespace) -> int:
    """Show one problem: every attempt, or the tree of one."""
    from reasoner.benchmarks.reports import inspection
    from reasoner.benchmarks.store.run_folder import RunFolder

    found = inspection.inspect(
        RunFolder(args.dir),
        args.problem,
        task=args.task or "",
        strategy=args.strategy or "",
        n=args.n,
    )
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def report(args: argparse.Namespace) -> int:
    """Write one HTML file with curves, comparisons, problems and their trees."""
    from reasoner.benchmarks.reports import html_page as page
    from reasoner.benchmarks.store.run_folder import RunFolder

    path = page.write(RunFolder(args.dir), args.out or args.dir / "report.html", args.problems)
    print_json({"file": str(path)}) if args.json else echo(str(path))
    return 0


def scaling(args: argparse.Namespace) -> int:
    """Tell what a doubling of compute buys, what an accuracy costs, and who leads."""
    from reasoner.benchmarks.reports.scaling import scaling
    from reasoner.benchmarks.store.run_folder import RunFolder

    found = scaling(RunFolder(args.dir), args.out or args.dir, args.n or (), args.accuracy)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0
