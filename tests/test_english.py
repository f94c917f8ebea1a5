"""Docstrings of the package: plain English, one in each module, and one name for each public class."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ("reasoner", "search", "verifiers", "benchmarks")
CLUMSY = re.compile(r"(What|Whether|How|That|Where|When|Which)\b")
"""First words of a docstring that neither says what a function does nor names what it returns."""

SHARED_NAMES = {
    "Ensemble": "a strategy and a verifier, each registered as ensemble",
    "Qwen2ForPrmModel": "the architecture in the models' own config.json, for Transformers and for vLLM",
    "SelfCertainty": "a strategy and a verifier, each registered as self-certainty",
}
"""Public class names that several modules may have, each with the reason."""

TO_DO = {
    "benchmarks/__init__.py",
    "benchmarks/analysis/allocation.py",
    "benchmarks/analysis/calibration.py",
    "benchmarks/analysis/cost_axes.py",
    "benchmarks/analysis/curves.py",
    "benchmarks/analysis/equal_cost.py",
    "benchmarks/analysis/fit_auto.py",
    "benchmarks/analysis/overoptimisation.py",
    "benchmarks/analysis/selection.py",
    "benchmarks/analysis/step_metrics.py",
    "benchmarks/analysis/verifier_quality.py",
    "benchmarks/plots/gain_at_equal_cost.py",
    "benchmarks/plots/search_tree.py",
    "benchmarks/reports/bench.py",
    "benchmarks/reports/compare.py",
    "benchmarks/reports/eval_verifier.py",
    "benchmarks/reports/inspection.py",
    "benchmarks/reports/pool.py",
    "benchmarks/reports/scaling.py",
    "benchmarks/reports/summary.py",
    "benchmarks/runner/components.py",
    "benchmarks/runner/eval_verifier.py",
    "benchmarks/runner/rerank.py",
    "benchmarks/runner/resumable.py",
    "benchmarks/runner/scheduler.py",
    "benchmarks/stats/bootstrap.py",
    "benchmarks/stats/cost_curve.py",
    "benchmarks/stats/intervals.py",
    "benchmarks/stats/multiplier.py",
    "benchmarks/stats/paired.py",
    "benchmarks/stats/pareto.py",
    "benchmarks/stats/pool.py",
    "benchmarks/stats/proportion.py",
    "benchmarks/stats/sign_test.py",
    "benchmarks/stats/votes.py",
    "benchmarks/store/database.py",
    "benchmarks/store/engine_throughput.py",
    "benchmarks/store/environment.py",
    "benchmarks/store/grid.py",
    "benchmarks/store/judgements.py",
    "benchmarks/store/legacy_jsonl.py",
    "benchmarks/store/owner.py",
    "benchmarks/store/pool_file.py",
    "benchmarks/store/pools.py",
    "benchmarks/store/provenance.py",
    "benchmarks/store/records.py",
    "benchmarks/store/run_folder.py",
    "benchmarks/store/search_trees.py",
    "benchmarks/store/store.py",
    "benchmarks/studies/draw_search_trees.py",
    "benchmarks/studies/engine_throughput.py",
    "benchmarks/studies/estimator_speed.py",
    "benchmarks/studies/label_noise.py",
    "benchmarks/studies/prm_prefix_caching.py",
    "benchmarks/studies/search_overhead.py",
    "benchmarks/tasks/countdown.py",
    "benchmarks/tasks/dagmath.py",
    "benchmarks/tasks/demonstration.py",
    "benchmarks/tasks/game24.py",
    "benchmarks/tasks/grading/choice.py",
    "benchmarks/tasks/grading/exact.py",
    "benchmarks/tasks/grading/extraction.py",
    "benchmarks/tasks/grading/grade.py",
    "benchmarks/tasks/grading/numeric.py",
    "benchmarks/tasks/grading/symbolic.py",
    "benchmarks/tasks/grading/worker_pool.py",
    "benchmarks/tasks/humaneval.py",
    "benchmarks/tasks/jsonl.py",
    "benchmarks/tasks/loading.py",
    "benchmarks/tasks/question_answering.py",
    "reasoner/base.py",
    "reasoner/budget.py",
    "reasoner/cli/__init__.py",
    "reasoner/cli/arguments.py",
    "reasoner/cli/failure.py",
    "reasoner/cli/output.py",
    "reasoner/cli/parsing.py",
    "reasoner/cli/results.py",
    "reasoner/cli/run_spec.py",
    "reasoner/events.py",
    "reasoner/naming.py",
    "reasoner/redaction.py",
    "reasoner/run.py",
    "reasoner/terminal.py",
    "reasoner/testing/strategies.py",
    "reasoner/testing/verifiers.py",
    "reasoner/trace.py",
    "reasoner/train/gpt/batched_sampling.py",
    "reasoner/train/gpt/evaluation.py",
    "reasoner/train/gpt/grading_workers.py",
    "reasoner/train/gpt/pipeline.py",
    "reasoner/train/gpt/verdict_layers.py",
    "reasoner/train/manifest.py",
    "reasoner/train/progress.py",
    "reasoner/train/reward/labelled_solutions.py",
    "reasoner/train/reward/recipe.py",
    "reasoner/train/reward/step_labels.py",
    "reasoner/train/reward/trainer.py",
    "reasoner/train/reward/value_head.py",
    "reasoner/train/reward/value_tokens.py",
    "reasoner/types.py",
    "verifiers/arithmetic.py",
    "verifiers/common/calibration.py",
    "verifiers/common/composite.py",
    "verifiers/common/expression.py",
    "verifiers/common/llm_judge.py",
    "verifiers/common/rules.py",
    "verifiers/reward/reader.py",
    "verifiers/reward/reward_model.py",
    "verifiers/reward/score_cache.py",
    "verifiers/reward/step_boundaries.py",
    "verifiers/reward/vllm_reader.py",
    "verifiers/reward/weights.py",
}
"""Modules with docstrings that still start with such a word, or without a docstring."""

TO_DO_NAMES = {
    "Agreement",
    "BestOfN",
    "Comparison",
    "Cost",
    "Entry",
    "Estimate",
    "Outcome",
    "Plan",
    "Point",
    "Pool",
    "Puzzle",
    "Recipe",
    "Report",
    "Result",
    "Row",
    "Rule",
    "Run",
    "Sample",
    "Solution",
    "Study",
    "Tally",
    "Term",
}
"""Public class names that still stand for several classes."""


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax trees of all modules of the package, by path from the root."""
    paths = [path for folder in PACKAGE for path in files(ROOT / folder)]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths}


def files(folder: Path) -> Iterator[Path]:
    """Yield the source files below `folder`, without those behind links."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from files(path)
        elif path.suffix == ".py":
            yield path


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each docstring, including those of variables."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case _:
                pass


def problems(tree: ast.Module) -> list[str]:
    """Return the problems of a module's docstrings."""
    clumsy = [
        f"line {line}: {text[:60]!r}" for line, text in docstrings(tree) if CLUMSY.match(text)
    ]
    return clumsy if ast.get_docstring(tree) else [*clumsy, "no module docstring"]


def shared_names() -> dict[str, list[str]]:
    """Return the modules of each name that several public classes have."""
    places = defaultdict[str, list[str]](list)
    for path, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def test_docstrings_start_with_a_verb_or_a_noun() -> None:
    """A module that is done leaves `TO_DO`; none joins it."""
    found = {path: wrong for path, tree in modules().items() if (wrong := problems(tree))}
    assert {path: wrong for path, wrong in found.items() if path not in TO_DO} == {}
    assert set(found) == TO_DO


def test_public_classes_have_names_of_their_own() -> None:
    """A name that is unique now leaves `TO_DO_NAMES`; none joins it."""
    shared = {name: paths for name, paths in shared_names().items() if name not in SHARED_NAMES}
    assert {name: paths for name, paths in shared.items() if name not in TO_DO_NAMES} == {}
    assert set(shared) == TO_DO_NAMES
    assert set(SHARED_NAMES) <= set(shared_names())


@pytest.mark.parametrize(
    "source",
    [
        '"""What it does."""',
        "x = 1",
        '"""A module."""\ndef f(x):\n    """Whether x."""',
        '"""A module."""\nclass A:\n    x = 1\n    """How large."""',
    ],
)
def test_each_problem_is_noticed(source: str) -> None:
    """The check fails on each kind of problem."""
    assert problems(ast.parse(source))
