"""Commands that run experiments: `bench`, `fit-auto` and `eval-verifier`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from reasoner.benchmarks.store.grid import Grid
from reasoner.cli import option_types as o
from reasoner.cli.default_verifier import with_default_verifier
from reasoner.cli.engine import engine, second_model, setting
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import show, stdout_for_json
from reasoner.cli.parsing import names
from reasoner.errors import ConfigError
from reasoner.options import CONCURRENCY, FlagReader, Options, Positive

if TYPE_CHECKING:
    from reasoner.base import Backend
    from reasoner.benchmarks.runner.components import Solvers
    from reasoner.benchmarks.runner.progress_bar import Meter
    from reasoner.benchmarks.runner.scheduler import Tally
    from reasoner.benchmarks.store.judgements import DiagnosisPlan
    from reasoner.benchmarks.workers.spec import WorkersSpec
    from reasoner.cli.bench_options import BenchOptions
    from reasoner.cli.commands import Invocation

ARMS = (
    "best-of-n:16",
    "best-of-n:64",
    "adaptive-best-of-n:64",
    "beam:8",
    "particle:16",
    "step-rejection:64",
)
GRID = Grid()
CHOICES = "dev"
"""The split on which choices are made."""


class ChoiceOptions(Options):
    """The options that commands on problems for choices have in common."""

    task: o.Tasks = GRID.tasks
    data: o.Data = None
    question_field: o.QuestionField = None
    answer_field: o.AnswerField = None
    split: o.Split = CHOICES
    problems: o.Problems = GRID.problems
    concurrency: o.Concurrency = CONCURRENCY
    verifier: o.Verifier = None
    model: o.ModelPath = None
    backend: o.Backend = None
    base_url: o.BaseUrl = None
    seed: o.RandomSeed = GRID.seed


class FitOptions(ChoiceOptions):
    """The options of `fit-auto`."""

    problems: o.Problems = 200
    arms: Annotated[
        tuple[str, ...], FlagReader(names, "extend"),
        Field(examples=["NAME:N,..."], description="what a problem may get after the probe"),
    ] = ARMS  # fmt: skip
    probe: Annotated[Positive, Field(description="samples that tell the difficulty")] = 4
    bins: Annotated[Positive, Field(description="levels of difficulty")] = 5
    tolerance: Annotated[o.Share, Field(description="accuracy that a cheaper arm may lose")] = 0.01
    out: o.Out = Path("runs/fit-auto")


class EvalOptions(ChoiceOptions):
    """The options of `eval-verifier`."""

    n: Annotated[Positive, Field(description="solutions per problem")] = 64
    dev_problems: Annotated[
        Positive, Field(description="further dev problems per task, on which a threshold is chosen")
    ] = 64
    steps: Annotated[
        Literal["prefixes", "whole"],
        Field(description="score each step as the solution so far, or take a whole one's"),
    ] = "prefixes"
    out: o.Out = Path("runs/eval-verifier")


class RunOptions(o.ModelOptions, Protocol):
    """The options of a command that runs experiments."""

    @property
    def out(self) -> Path: ...
    @property
    def concurrency(self) -> int: ...


def bench(options: BenchOptions, call: Invocation) -> int:
    """Run a grid of experiments and draw its curves."""
    from reasoner.benchmarks.reports.bench import report
    from reasoner.benchmarks.store.environment import commit
    from reasoner.benchmarks.store.run_folder import RunFolder
    from reasoner.benchmarks.tracking.tracking import Tracking

    grid = with_default_verifier(options.grid(), options)
    options.require_weights(grid.weights)
    spec = options.resolved(grid)
    with (
        stdout_for_json(call.json),
        Tracking(
            options.track, options.out, {**spec.parameters, "commit": str(commit())}
        ) as tracking,
    ):
        interruptible(_run_grid(options, grid, call, spec, tracking.meter()))
        tracking.drain()
        result = report(RunFolder(options.out, grid))
        tracking.finish(result.points, result.files)
    return show(result, call)


def fit_auto(options: FitOptions, call: Invocation) -> int:
    """Learn which search each difficulty gets, for strategy `auto`."""
    from reasoner.benchmarks.analysis.fit_auto import arm_grid, fit_table

    if str(options.out).endswith(".json"):
        raise ConfigError(
            f"--out {options.out} is a folder for results; the table is its auto.json"
        )
    grid = arm_grid(options.arms, options.probe, **setting(options))
    with stdout_for_json(call.json):
        interruptible(_run_grid(options, grid, call))
        result = fit_table(grid, options.out, bins=options.bins, tolerance=options.tolerance)
    return show(result, call)


def eval_verifier(options: EvalOptions, call: Invocation) -> int:
    """Measure a verifier: on steps, on solutions, and in choosing among them."""
    from reasoner.benchmarks.reports.eval_verifier import diagnose
    from reasoner.benchmarks.store.judgements import DiagnosisPlan

    plan = DiagnosisPlan.of(
        options.n, steps=options.steps, tuning=options.dev_problems, **setting(options)
    )
    with stdout_for_json(call.json):
        interruptible(_judge(options, plan, call))
        result = diagnose(plan, options.out)
    return show(result, call)


async def _run_grid(
    options: RunOptions,
    grid: Grid,
    call: Invocation,
    spec: BenchOptions | None = None,
    meter: Meter | None = None,
) -> Tally:
    """Run every experiment of a grid that has no results yet; write `spec` beside them."""
    from reasoner.api import open_backend
    from reasoner.base import release
    from reasoner.benchmarks.runner.components import Solvers
    from reasoner.benchmarks.store.owner import refuse_others
    from reasoner.benchmarks.workers.ray_cluster import connected
    from reasoner.benchmarks.workers.spec import WorkersSpec

    second = second_model(spec) if spec else None
    solvers = Solvers(grid, second=second)
    backend = open_backend(options.model, **engine(options))
    about = _provenance(options, grid, call, backend, second)
    refuse_others(options.out, grid.command)
    solvers.check(backend)  # Before the first file is written.
    workers = WorkersSpec.parse(spec.workers) if spec and spec.workers else None
    async with AsyncExitStack() as stack:
        stack.push_async_callback(release, backend, second, solvers)
        if workers:
            stack.enter_context(connected(workers))
        if spec:
            spec.save(options.out)
            about["spec"] = spec.key
        solvers.engine_use.keep(options.out)
        stack.callback(solvers.engine_use.save)
        return await _attempt_all(options, grid, solvers, workers or backend, about, spec, meter)


def _provenance(
    options: RunOptions, grid: Grid, call: Invocation, backend: Backend, second: Backend | None
) -> dict[str, Any]:
    """Return what environment.json tells of the program, the machine and the models."""
    from reasoner.benchmarks.store import environment
    from reasoner.models.local import local_model
    from reasoner.models.train_compute import train_flops

    local = options.model if grid.weights else None
    trained = train_flops(local_model(local)) if local else None
    model = environment.model(backend, grid.model, grid.weights, trained)
    about = {**environment.describe(call.argv), "model": model}
    if second and grid.second:
        about["second"] = environment.model(second, grid.second, grid.second_weights)
    return about


async def _attempt_all(
    options: RunOptions,
    grid: Grid,
    solvers: Solvers,
    engines: WorkersSpec | Backend,
    about: Mapping[str, Any],
    spec: BenchOptions | None,
    meter: Meter | None,
) -> Tally:
    """Attempt what is missing, on one engine or on the workers of a cluster."""
    from reasoner.benchmarks.runner import bench as experiment
    from reasoner.benchmarks.runner.shard import Shard
    from reasoner.benchmarks.workers import run as on_workers
    from reasoner.benchmarks.workers.spec import WorkersSpec

    shard = Shard.parse(spec.shard) if spec and spec.shard else Shard()
    if isinstance(engines, WorkersSpec):
        return await on_workers.run(
            grid, options.out, solvers, engines,
            model=options.model, engine=engine(options),
            concurrency=options.concurrency, environment=about, shard=shard, meter=meter,
        )  # fmt: skip
    return await experiment.run(
        grid, options.out, solvers, engines,
        concurrency=options.concurrency, environment=about, shard=shard, meter=meter,
    )  # fmt: skip


async def _judge(options: RunOptions, plan: DiagnosisPlan, call: Invocation) -> Tally:
    """Draw and judge the solutions of a plan that have no judgement yet."""
    from reasoner.api import open_backend
    from reasoner.benchmarks.runner import eval_verifier as judging
    from reasoner.benchmarks.store import environment

    backend = open_backend(options.model, **engine(options))
    try:
        return await judging.run(
            plan, options.out, backend,
            concurrency=options.concurrency, environment=environment.describe(call.argv),
        )  # fmt: skip
    finally:
        await backend.aclose()
