"""`reasoner train`: policies, the embedded GPT, labels, and the reward models that learn from them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.cli.engine import engine, policy, with_data
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import print_json, stdout_for_json
from reasoner.extras import needed_by
from reasoner.files import exclusive
from reasoner.options import MOST, InputFile, Options, OutputFile, Positive
from reasoner.terminal import echo

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation
    from reasoner.cli.policy_options import PolicyOptions
    from reasoner.train.gpt.options import GptOptions

Summary = dict[str, Any]

Labels = Annotated[
    InputFile, Field(examples=["FILE.jsonl"], description="labels that `train labels` wrote")
]
TestLabels = Annotated[
    InputFile | None,
    Field(
        examples=["FILE.jsonl"],
        description="what to measure on (default: the solutions of a tenth of the problems, held out)",
    ),
]
Epochs = Annotated[Positive, Field(description="passes over the data")]
Batch = Annotated[Positive, Field(description="solutions per step")]
LearningRate = Annotated[
    o.Rate | None, Field(description="default: 1e-5, or 1e-3 for less than 100M parameters")
]
Init = Annotated[
    Literal["pretrained", "random"],
    Field(description="begin with the model's weights, or with random ones"),
]
EPOCHS, BATCH = 3, 16
Method = Literal["monte-carlo", "omega", "outcome", "exact"]
ESTIMATED = ("monte-carlo", "omega")
"""The methods that sample continuations."""


class LabelsOptions(Options):
    """The options of `train labels`."""

    task: Annotated[str, Field(description="whose problems to solve; `reasoner list tasks`")]
    data: o.Data = None
    question_field: o.QuestionField = None
    answer_field: o.AnswerField = None
    split: o.Split = "train"
    problems: o.Problems = 1000
    skip: Annotated[
        int,
        Field(
            ge=0,
            le=MOST,
            examples=["COUNT"],
            description="leave out the first problems, such as those that the policy was trained on",
        ),
    ] = 0
    solutions: Annotated[Positive, Field(description="solutions per problem")] = 8
    method: Annotated[
        Method,
        Field(
            description="continue every step, search for the first error, take the outcome, or ask the task"
        ),
    ] = "monte-carlo"
    k: Annotated[Positive, Field(description="continuations of a step")] = 8
    out: Annotated[OutputFile, Field(examples=["FILE.jsonl"], description="file of the labels")] = (
        Path("runs/labels.jsonl")
    )
    model: o.ModelPath = None
    backend: o.Backend = None
    base_url: o.BaseUrl = None
    seed: o.RandomSeed = 0


class OrmOptions(Options):
    """The options of `train orm`."""

    data: Labels
    model: o.ModelPath = None
    out: o.Out = Path("runs/orm")
    test: TestLabels = None
    epochs: Epochs = EPOCHS
    batch: Batch = BATCH
    rate: LearningRate = None
    init: Init = "pretrained"
    seed: o.RandomSeed = 0


class PrmOptions(OrmOptions):
    """The options of `train prm`."""

    out: o.Out = Path("runs/prm")
    target: Annotated[
        Literal["soft", "hard"], Field(description="learn a step's value, or its label")
    ] = "soft"


class ValueHeadOptions(Options):
    """The options of `train value-head`."""

    data: Labels
    model: o.ModelPath = None
    within: Annotated[
        bool, Field(description="learn what tells the solutions of one problem apart")
    ] = False
    out: o.Out = Path("runs/value-head")


class OutOptions(Protocol):
    """The options of a command that writes to `out`."""

    @property
    def out(self) -> Path: ...


def train_policy(options: PolicyOptions, call: Invocation) -> int:
    """Train a policy on solutions, or on its own rollouts."""
    options.check()
    work = _train_on_solutions if options.method == "sft" else _train_on_rollouts
    return _finish(options, call, lambda: work(options, call), _policy_lines)


def _train_on_solutions(options: PolicyOptions, call: Invocation) -> Summary:
    from reasoner.api import EMBEDDED
    from reasoner.benchmarks.store.environment import describe
    from reasoner.registry import tasks
    from reasoner.train.policy.solutions import demonstrations, read_pairs
    from reasoner.train.progress import say

    task = tasks.make(options.task) if options.task else None
    if options.data:
        pairs = read_pairs(options.data, task)
    else:
        assert task, "the options name one of the two"
        pairs = demonstrations(task, options.demonstrations, options.seed)
    model = options.model or str(EMBEDDED)
    _check_inputs(model)
    recipe = options.training_recipe()
    sft = _work("policy.sft")
    with exclusive(options.out):
        manifest = sft.train(
            model, pairs, recipe, options.out, describe(call.argv),
            snapshots=options.snapshots, report=say,
        )  # fmt: skip
        sft.charge(_work("policy.ledger").ComputeLedger(options.out / "ledger.json"), 0, manifest)
    return {**manifest, "policy": str(options.out)}


def _train_on_rollouts(options: PolicyOptions, call: Invocation) -> Summary:
    from reasoner.api import EMBEDDED, open_backend
    from reasoner.benchmarks.store.environment import describe
    from reasoner.train.progress import say

    model = options.model or str(EMBEDDED)
    _check_inputs(model)
    method = _work(f"policy.{options.method.replace('-', '_')}")

    def opened(model: str) -> Any:
        return open_backend(model, options.backend)

    engine = _work("policy.rollout_engine").RolloutEngine(opened, say)
    recipes = options.rollout_recipe(), options.training_recipe()
    job = _work("policy.rounds").TrainingJob(
        model, *recipes, options.out, engine, describe(call.argv), say
    )

    async def train() -> Summary:
        try:
            summary: Summary = await method.train(job)
            return summary
        finally:
            await engine.aclose()

    with exclusive(options.out):
        return interruptible(train())


def train_gpt(options: GptOptions, call: Invocation) -> int:
    """Train the embedded GPT from scratch."""
    return _finish(options, call, lambda: dict(_work("gpt.pipeline").run(options, call.argv)))


def train_labels(options: LabelsOptions, call: Invocation) -> int:
    """Solve problems, and label which steps of the solutions are right."""
    from reasoner.api import open_backend
    from reasoner.benchmarks.store.environment import describe
    from reasoner.registry import tasks
    from reasoner.train.progress import say

    work = _work("reward.step_labels")

    async def label() -> Summary:
        [task] = with_data([options.task], options)
        plan = work.LabelPlan(
            task, tasks.make(task), options.problems, options.solutions, options.method,
            options.k if options.method in ESTIMATED else 0, options.split, options.seed, options.skip,
        )  # fmt: skip
        backend = open_backend(options.model, **engine(options))
        try:
            summary: Summary = await work.make(
                plan, backend, options.out, policy(options), describe(call.argv), say
            )
            return summary
        finally:
            await backend.aclose()

    return _finish(options, call, lambda: interruptible(label()), _labels_lines)


def train_prm(options: PrmOptions, call: Invocation) -> int:
    """Train a process reward model, for verifier `token-classifier`."""
    return _train_reward("prm", options, call, options.target)


def train_orm(options: OrmOptions, call: Invocation) -> int:
    """Train an outcome reward model, for verifier `orm`."""
    return _train_reward("orm", options, call)


def train_value_head(options: ValueHeadOptions, call: Invocation) -> int:
    """Train a value head on the policy's own states."""
    from reasoner.benchmarks.store.environment import describe

    model = _model(options.model)

    def fit() -> Summary:
        _check_inputs(model, options.data)
        with exclusive(options.out):
            summary: Summary = _work("reward.value_head").fit(
                options.data,
                model,
                options.out,
                within=options.within,
                environment=describe(call.argv),
            )
            return summary

    return _finish(options, call, fit, _head_lines)


def _train_reward(kind: str, options: OrmOptions, call: Invocation, *settings: str) -> int:
    from reasoner.benchmarks.store.environment import describe
    from reasoner.train.progress import say

    model = _model(options.model)

    def fit() -> Summary:
        _check_inputs(model, options.data, *filter(None, [options.test]))
        values = options.model_dump(include=set(OrmOptions.model_fields))
        recipe = _work("reward.recipe").RewardRecipe(**values | {"model": model})
        summary: Summary = _work(f"reward.{kind}").train(
            recipe, *settings, environment=describe(call.argv), report=say
        )
        return summary

    return _finish(options, call, fit, _reward_lines)


def _check_inputs(model: str, *files: Path) -> None:
    """Read the labels, if any, and look at the model before PyTorch is imported, which takes seconds."""
    read = _work("reward.labelled_solutions").read
    for file in files:
        read(file)
    from reasoner.models.files import ModelFiles

    ModelFiles(model)


def _model(name: str | None) -> str:
    from reasoner.api import EMBEDDED
    from reasoner.models.local import local_model

    return local_model(name or str(EMBEDDED))


def _work(kind: str) -> Any:
    """Import the module of a kind of training.

    Raises:
        MissingPackage: a package that it needs is not installed.
    """
    with needed_by("training"):
        return import_module(f"reasoner.train.{kind}")


def _finish(
    options: OutOptions,
    call: Invocation,
    work: Callable[[], Summary],
    lines: Callable[[Summary], Sequence[str]] = lambda _: (),
) -> int:
    """Do the work and print its summary, by `lines` for people; the exit code is 1 if problems failed."""
    with stdout_for_json(call.json):
        summary = work()
    if call.json:
        print_json(summary)
    else:
        echo("\n".join([*lines(summary), f"written to {options.out}"]))
    return 1 if summary.get("failed") else 0


def _reward_lines(summary: Summary) -> list[str]:
    held, auc = summary["held_out"], summary["held_out"]["auc"]
    value = f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" if auc else "unknown"
    return [
        f"AUC {value} over {held['scores']} scores on {held['problems']} problems held out",
        f"--verifier {shlex.quote(summary['verifier'])}",
    ]


def _policy_lines(summary: Summary) -> list[str]:
    rounds = [_work("policy.rounds").line(record) for record in summary.get("rounds", ())]
    return [*rounds, f"--model {shlex.quote(summary['policy'])}"]


def _head_lines(summary: Summary) -> list[str]:
    *lines, verifier = _reward_lines(summary)
    within = summary["within"]
    if within["auc"] is not None:
        lines.append(f"within a problem {within['auc']:.3f}, the mean of {within['problems']}")
    return [*lines, f"--model {shlex.quote(summary['policy'])} {verifier}"]


def _labels_lines(summary: Summary) -> list[str]:
    steps = summary["right_steps"]
    failed = [f"{summary['failed']} problems failed; run the command again to retry them"]
    return [
        f"{summary['solutions']:,} solutions of {summary['problems']:,} problems,"
        f" {summary['correct']:.1%} of them right; {summary['steps']:,} steps,"
        f" {0 if steps is None else steps:.1%} of them right; {summary['tokens']:,} tokens generated",
        *(failed if summary["failed"] else []),
    ]
