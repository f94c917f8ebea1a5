"""Unsuitable combinations are refused before the first token is sampled, with one that works."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from reasoner import Budget, ConfigError, Reasoner, StrategyTraits, VerifierTraits
from reasoner.backends.openai import OpenAI
from reasoner.backends.scripted import Scripted
from reasoner.base import Backend
from reasoner.cli import main
from reasoner.models import engine_arguments
from reasoner.registry import strategies, verifiers
from reasoner.run import Run
from reasoner.suitability import default_verifier
from reasoner.trace import Node
from reasoner.traits import BackendTraits, strategy_traits, verifier_traits
from reasoner.verifiers.verdict import Verdict

ALL = BackendTraits(
    verdicts=True, logprobs=True, confidences=True, labels=True, watches=True, spells=True
)


class Lacking(Scripted):
    """The scripted model without some of its traits."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._traits = replace(ALL, **dict.fromkeys(names, False))

    @property
    def traits(self) -> BackendTraits:
        return self._traits


@dataclass(frozen=True)
class Paired:
    """A strategy that needs a second model."""

    traits = StrategyTraits(verifier="unneeded", second_model=True)

    async def search(self, run: Run) -> Node:
        raise AssertionError("nothing may be searched")


UNSUITABLE: dict[str, tuple[Any, Any, tuple[str, ...], str]] = {
    "step scores": ("beam", "agreement", (), r"'beam' goes by .*'agreement' scores finished.*'best-of-n', or give 'verdict'"),
    "step scores of matches": ("mcts", "tournament", (), "unfinished solutions"),
    "step scores inside": ("fallback", "agreement", (), "'fallback' goes by"),
    "steps of tests": ("tot-bfs", "code", (), "unfinished solutions"),
    "verdict tokens": ("best-of-n", "verdict", ("verdicts",), "no verdict tokens; use verifier 'confidence'"),
    "verdict tokens for steps": ("beam", "verdict", ("verdicts",), "use verifier 'critic'"),
    "verdict tokens of a member": ("best-of-n", "ensemble", ("verdicts",), "no verdict tokens"),
    "log-probabilities": ("best-of-n", "confidence", ("logprobs",), "needs log-probabilities.* use verifier 'verdict'"),
    "log-probabilities inside": ("best-of-n", "agreement(by='confidence')", ("logprobs",), "needs log-prob"),
    "confidences": ("best-of-n", "entropy", ("confidences",), "needs the confidence of every token"),
    "tail": ("best-of-n", "tail-confidence", ("confidences",), "use verifier 'verdict'"),
    "sure": ("best-of-n", "self-certainty", ("confidences",), "use verifier 'verdict'"),
    "labels": ("best-of-n", "label-token", ("labels",), "use verifier 'judge' or 'critic'"),
    "value head": ("beam", "value-head", ("labels",), "use verifier 'judge' or 'critic'"),
    "confidences of votes": ("self-certainty", None, ("confidences",), "use 'majority'"),
    "confidences of votes under watch": ("deepconf", None, ("confidences",), "use 'majority'"),
    "log-probabilities of solutions": ("power", None, ("logprobs",), "use backend vllm or transformers, or strategy 'majority'"),
    "cuts between tokens": ("power", None, ("spells",), "cuts solutions between two tokens.* or strategy 'revise'"),
    "cuts inside": ("ensemble(members=('power', 'majority'))", None, ("spells",), "'ensemble' cuts solutions"),
    "watching": ("deepconf", None, ("watches",), "use backend vllm, openai, transformers or scripted"),
    "watching inside": ("ensemble(members=('deepconf', 'majority'))", None, ("watches",), "watches samples"),
    "second model": (Paired(), None, (), r"needs a second model; give one \(second=...\)"),
    "no verifier for steps": ("beam", None, ("verdicts",), "name a verifier, such as 'critic'"),
    "no verifier": ("revise(how='ask')", "confidence", ("logprobs",), "needs log-probabilities"),
    "no verifier at all": ("adaptive-best-of-n", None, ("verdicts", "logprobs"), "such as 'judge'"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSUITABLE)
def test_an_unsuitable_combination_names_one_that_works(case: str) -> None:
    strategy, verifier, lacks, message = UNSUITABLE[case]
    backend = Lacking(*lacks)
    with pytest.raises(ConfigError, match=message):
        Reasoner(backend, strategy=strategy, verifier=verifier)
    assert backend.usage.requests == 0


@pytest.mark.parametrize(
    ("strategy", "verifier", "lacks"),
    [
        ("draft", "verdict", "verdicts"),
        ("draft", "confidence", "logprobs"),
        ("draft", "entropy", "confidences"),
        ("fallback(first='draft', second='draft')", "verdict", "verdicts"),
    ],
)
def test_a_second_model_returns_what_the_verifier_reads_of_its_samples(
    strategy: str, verifier: str, lacks: str
) -> None:
    second = Lacking(lacks)
    second._model = replace(second.model, name="second")
    with pytest.raises(ConfigError, match=f"reads the {lacks} of samples.* 'second' does not"):
        Reasoner(Scripted(), second=second, strategy=strategy, verifier=verifier)
    Reasoner(Scripted(), strategy=strategy, verifier=verifier)
    Reasoner(Scripted(), second=second, strategy="rstar", verifier=verifier)


@pytest.mark.parametrize("strategy", strategies.names())
def test_every_strategy_suits_a_model_with_all_traits(strategy: str) -> None:
    reasoner = Reasoner(Scripted(), strategy=strategy)
    used = strategy_traits(reasoner.strategy).uses_verifier
    assert isinstance(reasoner.verifier, Verdict) is used


@pytest.mark.parametrize(
    ("verifier", "message"),
    [
        ("code", "needs unit tests"),
        ("arithmetic", "finds no puzzle"),
        ("regex", "has no pattern"),
        ("schema", "has no schema"),
        ("ensemble(members=('verdict', 'code'))", "needs unit tests"),
    ],
)
def test_a_problem_that_cannot_be_judged_is_refused_first(verifier: str, message: str) -> None:
    backend = Scripted()
    with Reasoner(backend, verifier=verifier) as solver:
        for solve in (solver.solve, lambda text: solver.solve_many([text])):
            with pytest.raises(ConfigError, match=message):
                solve("1+2")
    assert backend.usage.requests == 0


def test_a_flops_budget_needs_the_size_of_every_model() -> None:
    backend = Scripted()
    small = Scripted("small", parameters=0)
    with (
        Reasoner(backend, strategy="rstar", second=small) as solver,
        pytest.raises(ConfigError, match="size of 'small'"),
    ):
        solver.solve("1+2", Budget(flops=1e9))
    assert backend.usage.requests == 0


DEFAULTS: list[tuple[str, tuple[str, ...], str | None]] = [
    ("best-of-n", (), "verdict"),
    ("beam", (), "verdict"),
    ("majority", (), None),
    ("majority", ("verdicts",), None),
    ("best-of-n", ("verdicts",), "confidence"),
    ("revise", ("verdicts",), "confidence"),
    ("best-of-n", ("verdicts", "logprobs"), "agreement"),
    ("revise", ("verdicts", "logprobs"), None),
]


@pytest.mark.parametrize(("strategy", "lacks", "expected"), DEFAULTS)
def test_the_default_verifier_suits_model_and_strategy(
    strategy: str, lacks: tuple[str, ...], expected: str | None
) -> None:
    backend: Backend = Lacking(*lacks)
    assert default_verifier(strategies.make(strategy), backend) == expected
    with Reasoner(backend, strategy=strategy) as solver:
        result = solver.solve("1+2")
    assert (result.scored_by, result.answer) == (expected, "3")


SERVED = ["--model", "m", "--base-url", "http://127.0.0.1:1/v1"]
TOY = ["--model", "scripted"]
LINES = {
    "steps": (["solve", "1+2", *TOY, "--strategy", "beam", "--verifier", "agreement"], "finished ones only"),
    "verdicts": (["solve", "1+2", *SERVED, "--verifier", "verdict"], "no verdict tokens"),
    "default": (["solve", "1+2", *SERVED, "--strategy", "beam"], "name a verifier, such as 'critic'"),
    "problem": (["solve", "1+2", *TOY, "--verifier", "code"], "needs unit tests"),
    "grid": (["bench", *TOY, "--strategy", "majority,mcts", "--verifier", "tournament"], "finished ones only"),
    "grid of a server": (["bench", *SERVED, "--strategy", "majority,beam"], "name a verifier"),
    "grid of problems": (["bench", *TOY, "--strategy", "best-of-n", "--verifier", "code"], "needs unit tests"),
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_the_command_line_says_so_in_one_line(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    argv, message = LINES[case]
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith("reasoner: ") and message in printed.err


# -- how traits are declared ------------------------------------------------------------------------


class Misspelt:
    """Means that it needs no verifier."""

    verifed = False

    async def search(self, run: Run) -> Node:
        return run.trace.root


class Former(Misspelt):
    """Says so as it was said before."""

    verifed: Any = property(lambda _: None)
    stops_early = True


class Untyped:
    """Declares a dictionary."""

    traits = {"ceiling": 0.5}  # noqa: RUF012


class Nearly:
    """Has the right object under a wrong name."""

    trait = VerifierTraits(ceiling=0.5)


class Silent(Scripted):
    """Could be watched, and does not say so."""

    traits = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Reasoner("scripted", strategy=Misspelt()), r"Misspelt.verifed is not read; .*StrategyTraits\(verifier=...\)"),
        (lambda: Reasoner("scripted", strategy=Former()), r"StrategyTraits\((verifier|stops_early)=...\)"),
        (lambda: Reasoner("scripted", verifier=Untyped()), r"Untyped.traits is .*not VerifierTraits"),  # type: ignore[arg-type]
        (lambda: Reasoner("scripted", verifier=Nearly()), r"Nearly.trait is not read; .*traits = VerifierTraits"),  # type: ignore[arg-type]
        (lambda: Reasoner(Silent()), r"Silent.(watch|decode) is not read; .*BackendTraits\((watches|spells)=...\)"),
    ],
)  # fmt: skip
def test_a_trait_declared_in_another_way_is_an_error(build: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()


@pytest.mark.parametrize("name", verifiers.names())
def test_every_built_in_verifier_declares_traits_or_none(name: str) -> None:
    assert isinstance(verifier_traits(verifiers.load(name)), VerifierTraits)


def test_arguments_of_the_engine_are_checked_at_once() -> None:
    misspelt: list[tuple[dict[str, Any], str]] = [
        ({"tempreture": 0.5}, "did you mean temperature"),
        ({"stratgy": "beam"}, "did you mean strategy"),
        ({"max_modl_len": 5}, "did you mean max_model_len"),
    ]
    for arguments, hint in misspelt:
        for model in ("Qwen/Qwen2.5-0.5B", None):
            with pytest.raises(ConfigError, match=hint):
                Reasoner(model, **arguments)
    with pytest.raises(
        ConfigError, match="backend 'scripted' has no setting 'tempratur'; did you mean temperature"
    ):
        Reasoner("scripted", tempratur=1)


def test_without_vllm_a_misspelt_argument_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_arguments, "_known", dict)
    with pytest.raises(ConfigError, match="did you mean max_model_len"):
        Reasoner("Qwen/Qwen2.5-0.5B", max_modl_len=5)
    Reasoner("Qwen/Qwen2.5-0.5B", strategy="majority", enforce_eager=True)


def test_a_server_is_known_to_have_no_verdicts_before_it_is_asked() -> None:
    assert not OpenAI("m").traits.verdicts and not OpenAI("m").traits.spells
