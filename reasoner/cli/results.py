"""Commands on stored results: `merge`, `import-pool`, `export-pool`, `export`, `rerank`, `replay`, `allocate`, `inspect`, `report`, `scaling`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.cli.curves import against_training, refuse_for_several
from reasoner.cli.engine import engine
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import console, print_json, show, stdout_for_json
from reasoner.errors import ConfigError
from reasoner.files import clipped
from reasoner.terminal import complain, echo

if TYPE_CHECKING:
    from reasoner.cli import results_options as options
    from reasoner.cli.commands import Invocation


def import_pool(args: options.ImportOptions, call: Invocation) -> int:
    """Grade recorded solutions and estimate the metrics at every number of samples."""
    from reasoner.benchmarks.reports.pool import every_k
    from reasoner.benchmarks.store import pools as recorded
    from reasoner.benchmarks.store.environment import describe
    from reasoner.benchmarks.store.run_folder import RunFolder

    importing = recorded.Importing(
        args.task, args.aggregate, args.fields, args.format, args.grades, args.score or ""
    )
    out = args.out or Path("runs") / args.file.stem
    with stdout_for_json(call.json):
        grid = recorded.import_pool(args.file, importing, out, describe(call.argv))
        result = every_k(RunFolder(out, grid), args.task)
    print_json(result.as_json()) if call.json else result.show(console())
    return 0


def merge(args: options.MergeOptions, call: Invocation) -> int:
    """Bring the shards of a benchmark together, and draw its curves."""
    from reasoner.benchmarks.reports.bench import report
    from reasoner.benchmarks.store.merging import merge, missing
    from reasoner.benchmarks.store.run_folder import RunFolder
    from reasoner.cli.spec_file import save_whole

    with stdout_for_json(call.json):
        run = RunFolder(args.out, merge(args.dir, args.out))
        save_whole(args.dir[0], args.out)
        result = report(run)
    if lacking := missing(run):
        complain(
            f"{lacking} attempts have no record; merge the other shards, or finish them by `reasoner bench"
            f" --spec {args.out}/spec.yaml --out {args.out}`"
        )
    return show(result, call)


def export_pool(args: options.ExportOptions, call: Invocation) -> int:
    """Write a run's solutions as recorded ones."""
    from reasoner.benchmarks.store.pool_file import write_pool
    from reasoner.benchmarks.store.pools import export_pool
    from reasoner.benchmarks.store.run_folder import RunFolder

    pool = list(export_pool(RunFolder(args.dir), args.task or ""))
    write_pool(pool, args.out)
    samples = sum(len(problem.completions) for problem in pool)
    if call.json:
        print_json({"problems": len(pool), "samples": samples, "file": str(args.out)})
    else:
        echo(f"{len(pool)} problems, {samples} solutions written to {args.out}")
    return 0


def export(args: options.TrainingSetOptions, call: Invocation) -> int:
    """Write a training set from the solutions of a run."""
    from reasoner.benchmarks.export.solved import solved_problems
    from reasoner.benchmarks.export.training_sets import save, training_set
    from reasoner.benchmarks.store.run_folder import RunFolder

    run = RunFolder(args.dir)
    problems = solved_problems(run, args.task or "")
    rows = training_set(problems, args.format, args.most, args.library)
    save(rows, args.out)
    if call.json:
        print_json(
            {
                "problems": len(problems),
                "rows": len(rows),
                "split": run.grid.split,
                "file": str(args.out),
            }
        )
    else:
        echo(
            f"{len(rows)} rows from {len(problems)} problems of split {run.grid.split} written to {args.out}"
        )
    return 0


def rerank(args: options.RerankOptions, call: Invocation) -> int:
    """Have another verifier choose among the solutions of a run; nothing is sampled."""
    from reasoner.api import open_backend
    from reasoner.benchmarks.reports.bench import report
    from reasoner.benchmarks.runner import rerank as reranking
    from reasoner.benchmarks.store.environment import describe
    from reasoner.benchmarks.store.run_folder import RunFolder
    from reasoner.naming import parse_spec

    out = args.out or args.dir.with_name(f"{args.dir.name}-{parse_spec(args.verifier)[0]}")
    # One that is named is opened at once, so that what is wrong with it is told whichever verifier chooses.
    chosen = args.model or args.backend or args.base_url
    named = open_backend(args.model, **engine(args)) if chosen else None
    with stdout_for_json(call.json):
        scoring = reranking.rerank(
            RunFolder(args.dir), args.verifier, out, lambda: named or open_backend(),
            concurrency=args.concurrency, environment=describe(call.argv),
        )  # fmt: skip
        result = report(RunFolder(out, interruptible(scoring)))
    print_json(result.as_json()) if call.json else result.show(console())
    return 0


def replay(args: options.ReplayOptions, call: Invocation) -> int:
    """Have strategies search among the solutions of a run; nothing is sampled."""
    from reasoner.benchmarks.reports.bench import report
    from reasoner.benchmarks.runner import replay as replaying
    from reasoner.benchmarks.store.environment import describe
    from reasoner.benchmarks.store.run_folder import RunFolder

    out = args.out or args.dir.with_name(f"{args.dir.name}-replay")
    settings = replaying.Replay(args.strategy, args.n, args.orders, args.seed)
    with stdout_for_json(call.json):
        replays = replaying.replay(
            RunFolder(args.dir), settings, out, environment=describe(call.argv)
        )
        result = report(RunFolder(out, interruptible(replays)))
    return show(result, call)


def allocate(args: options.AllocateOptions, call: Invocation) -> int:
    """Share out total budgets among the problems of a run, from its recorded samples."""
    from reasoner.benchmarks.analysis.total_budget import TotalBudgetPlan
    from reasoner.benchmarks.reports.allocate import allocation
    from reasoner.benchmarks.store.run_folder import RunFolder
    from reasoner.registry import strategies
    from reasoner.search.pool import BudgetPool

    rule = strategies.make(args.strategy)
    if not isinstance(rule, BudgetPool):
        raise ConfigError(
            f"--strategy {clipped(args.strategy, 40)} does not share a budget among problems; only pool does"
        )
    plan = TotalBudgetPlan(rule, args.cost, args.totals, args.ceiling)
    return show(allocation(RunFolder.load(args.dir), plan, args.out or args.dir), call)


def inspect(args: options.InspectOptions, call: Invocation) -> int:
    """Show one problem: every attempt, or the tree of one."""
    from reasoner.benchmarks.reports import inspection
    from reasoner.benchmarks.store.run_folder import RunFolder

    inspected = inspection.inspect(
        RunFolder(args.dir),
        args.problem,
        task=args.task or "",
        strategy=args.strategy or "",
        n=args.n,
    )
    print_json(inspected.as_json()) if call.json else inspected.show(console())
    return 0


def report(args: options.ReportOptions, call: Invocation) -> int:
    """Write one HTML file with curves, comparisons, problems and their trees."""
    from reasoner.benchmarks.reports import html_page as page
    from reasoner.benchmarks.store.run_folder import RunFolder

    path = page.write(RunFolder(args.dir), args.page, args.problems)
    print_json({"file": str(path)}) if call.json else echo(str(path))
    return 0


def scaling(args: options.ScalingOptions, call: Invocation) -> int:
    """Tell what a doubling of compute buys, what an accuracy costs, and who leads."""
    folder, *others = args.dir
    if others:
        refuse_for_several(args, "n", "accuracy")
        return against_training(args, call)
    from reasoner.benchmarks.reports.scaling import scaling
    from reasoner.benchmarks.store.run_folder import RunFolder

    result = scaling(RunFolder(folder), args.out or folder, args.n, args.accuracy)
    print_json(result.as_json()) if call.json else result.show(console())
    return 0
