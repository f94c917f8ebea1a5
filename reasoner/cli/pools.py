"""`reasoner import-pool`, `export-pool`, `rerank` and `inspect`: what there is, looked at anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from reasoner.cli.arguments import Parser, engine, json_argument, model_arguments
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import console, print_json, stdout_for_json
from reasoner.cli.values import positive

PARTS = ("id", "question", "answer", "completions")


def import_arguments(parser: Parser) -> None:
    """What `import-pool` takes."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="JSON lines, one problem a line")
    add("--task", required=True, help="grades the solutions; `reasoner list tasks` names them")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the run goes (default: runs/ and the file's name)",
    )
    add(
        "--aggregate", choices=("last", "min", "prod", "mean"), default="last",
        help="what scores of steps come to, where a solution has no score (default: last)",
    )  # fmt: skip
    for part in PARTS:
        add(f"--{part}-field", metavar="NAME", help=f"where a line has its {part}")
    json_argument(parser)


def export_arguments(parser: Parser) -> None:
    """What `export-pool` takes."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="what `bench --out` wrote")
    parser.add_argument("--task", default="", help="whose pool, if the run has several tasks")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")
    json_argument(parser)


def rerank_arguments(parser: Parser) -> None:
    """What `rerank` takes."""
    add = parser.add_argument
    add("dir", type=Path, metavar="DIR", help="what `bench --out` or `import-pool` wrote")
    add("--verifier", required=True, help="`reasoner list verifiers` names them")
    add("--out", type=Path, metavar="DIR", help="default: DIR and the verifier's name")
    add("--concurrency", type=positive, default=128, help="problems in flight (default: 128)")
    model_arguments(parser)


def inspect_arguments(parser: Parser) -> None:
    """What `inspect` takes."""
    add = parser.add_argument
    add("dir", type=Path, metavar="DIR", help="what `bench --out` wrote")
    add("problem", metavar="PROBLEM", help="its id, or its number in the split, from 0")
    add("--task", default="", help="whose problem, if the run has several tasks")
    add("--strategy", default="", help="whose tree or samples to show (default: list all attempts)")
    add("--n", type=positive, help="in which size (default: the largest)")
    json_argument(parser)


def import_pool(args: argparse.Namespace) -> int:
    """Grade recorded solutions, and tell what they say of every number of samples."""
    from reasoner.benchmarks import recorded
    from reasoner.benchmarks.environment import describe
    from reasoner.benchmarks.every_k import every_k

    fields = {p: name for p in PARTS if (name := getattr(args, f"{p}_field"))}
    importing = recorded.Importing(args.task, args.aggregate, fields)
    out = args.out or Path("runs") / args.file.stem
    with stdout_for_json(args.json):
        grid = recorded.import_pool(args.file, importing, out, describe(args.argv))
        found = every_k(grid, out, args.task)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def export_pool(args: argparse.Namespace) -> int:
    """Write a run's solutions as recorded ones."""
    from reasoner.benchmarks.pool_file import write_pool
    from reasoner.benchmarks.recorded import export_pool

    pool = list(export_pool(args.dir, args.task))
    write_pool(pool, args.out)
    samples = sum(len(problem.completions) for problem in pool)
    told = {"problems": len(pool), "samples": samples, "file": str(args.out)}
    if args.json:
        print_json(told)
    else:
        print(f"{len(pool)} problems, {samples} solutions written to {args.out}")
    return 0


def rerank(args: argparse.Namespace) -> int:
    """Have another verifier choose among the solutions of a run; nothing is sampled."""
    from reasoner.api import Reasoner
    from reasoner.benchmarks import reranking
    from reasoner.benchmarks.environment import describe
    from reasoner.benchmarks.report import report
    from reasoner.registry import called

    out = args.out or args.dir.with_name(f"{args.dir.name}-{called(args.verifier)[0]}")
    backend = Reasoner(args.model, **engine(args)).backend
    with stdout_for_json(args.json):
        scoring = reranking.rerank(
            args.dir, args.verifier, out, backend,
            concurrency=args.concurrency, environment=describe(args.argv),
        )  # fmt: skip
        found = report(interruptible(scoring), out)
    print_json(found.as_json()) if args.json else found.show(console())
    return 0


def inspect(args: argparse.Namespace) -> int:
    """Show what became of one problem: every attempt, or the tree of one."""
    from reasoner.benchmarks import inspection

    found = inspection.inspect(
        args.dir, args.problem, task=args.task, strategy=args.strategy, n=args.n
    )
    print_json(found.as_json()) if args.json else found.show(console())
    return 0
