"""Commands on stored results: `import-pool`, `export-pool`, `rerank`, `inspect`, `report`, `scaling`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.cli.engine import engine
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import console, print_json, stdout_for_json
from reasoner.terminal import echo

if TYPE_CHECKING:
    from reasoner.cli import results_options as options
    from reasoner.cli.commands import Call


def import_pool(args: options.ImportOptions, call: Call) -> int:
    """Grade recorded solutions, and tell what they say of every number of samples."""
    from reasoner.benchmarks.reports.pool import every_k
    from reasoner.benchmarks.store import pools as recorded
    from reasoner.benchmarks.store.environment import describe

    importing = recorded.Importing(args.task, args.aggregate, args.fields)
    out = args.out or Path("runs") / args.file.stem
    with stdout_for_json(call.json):
        grid = recorded.import_pool(args.file, importing, out, describe(call.argv))
        found = every_k(grid, out, args.task)
    print_json(found.as_json()) if call.json else found.show(console())
    return 0


def export_pool(args: options.ExportOptions, call: Call) -> int:
    """Write a run's solutions as recorded ones."""
    from reasoner.benchmarks.store.pool_file import write_pool
    from reasoner.benchmarks.store.pools import export_pool

    pool = list(export_pool(args.dir, args.task or ""))
    write_pool(pool, args.out)
    samples = sum(len(problem.completions) for problem in pool)
    told = {"problems": len(pool), "samples": samples, "file": str(args.out)}
    if call.json:
        print_json(told)
    else:
        echo(f"{len(pool)} problems, {samples} solutions written to {args.out}")
    return 0


def rerank(args: options.RerankOptions, call: Call) -> int:
    """Have another verifier choose among the solutions of a run; nothing is sampled."""
    from reasoner.api import open_backend
    from reasoner.benchmarks.reports.bench import report as drawn
    from reasoner.benchmarks.runner import rerank as reranking
    from reasoner.benchmarks.store.environment import describe
    from reasoner.naming import parse_spec

    out = args.out or args.dir.with_name(f"{args.dir.name}-{parse_spec(args.verifier)[0]}")
    backend = open_backend(args.model, **engine(args))
    with stdout_for_json(call.json):
        scoring = reranking.rerank(
            args.dir, args.verifier, out, backend,
            concurrency=args.concurrency, environment=describe(call.argv),
        )  # fmt: skip
        found = drawn(interruptible(scoring), out)
    print_json(found.as_json()) if call.json else found.show(console())
    return 0


def inspect(args: options.InspectOptions, call: Call) -> int:
    """Show what became of one problem: every attempt, or the tree of one."""
    from reasoner.benchmarks.reports import inspection

    found = inspection.inspect(
        args.dir, args.problem, task=args.task or "", strategy=args.strategy or "", n=args.n
    )
    print_json(found.as_json()) if call.json else found.show(console())
    return 0


def report(args: options.ReportOptions, call: Call) -> int:
    """Write one HTML file with curves, comparisons, problems and their trees."""
    from reasoner.benchmarks.reports import html_page as page

    path = page.write(args.dir, args.page, args.problems)
    print_json({"file": str(path)}) if call.json else echo(str(path))
    return 0


def scaling(args: options.ScalingOptions, call: Call) -> int:
    """Tell what a doubling of compute buys, what an accuracy costs, and who leads."""
    from reasoner.benchmarks.reports.scaling import scaling

    found = scaling(args.dir, args.out or args.dir, args.n, args.accuracy)
    print_json(found.as_json()) if call.json else found.show(console())
    return 0
