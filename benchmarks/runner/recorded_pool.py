"""Recorded pools that strategies search again, and the strategies that they cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasoner.benchmarks.runner.components import sized
from reasoner.benchmarks.runner.recorded_model import RecordedModel, RecordedScores, completed
from reasoner.benchmarks.store.grid import GREEDY, POOLED, Grid
from reasoner.benchmarks.store.pools import RECORDED, pool_of
from reasoner.benchmarks.store.records import Record, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError
from reasoner.events import Result
from reasoner.files import clipped, shown
from reasoner.naming import parse_spec
from reasoner.registry import verifiers
from reasoner.solving import check_suitable, solve
from reasoner.traits import VerifierTraits, strategy_traits, verifier_traits
from reasoner.types import Candidate, Problem, Sampling


@dataclass(frozen=True, slots=True)
class Recording:
    """A task's pool, as every replay of it needs it."""

    grid: Grid
    records: Sequence[Record]
    sampling: Sampling
    judge: VerifierTraits

    @property
    def scored(self) -> bool:
        """True if the pool has scores."""
        return any(s.score is not None for record in self.records for s in record.samples)

    @property
    def has_lengths(self) -> bool:
        """True if the tokens of every solution are known."""
        return all(s.tokens for record in self.records for s in record.samples)

    @property
    def fewest(self) -> int:
        """The fewest solutions of a problem that has any."""
        return min(len(record.samples) for record in self.records if record.samples)

    @classmethod
    def of(cls, source: RunFolder, task: str) -> Recording:
        """Read the pool of a task; raises as `pool_of`."""
        grid, records = source.grid, pool_of(source, task)
        longest = max(sample.tokens for record in records for sample in record.samples)
        sampled = grid.sampling.get(task, Sampling())
        sampling = Sampling(temperature=sampled.temperature, max_tokens=max(1, longest))
        return cls(grid, records, sampling, _judge(grid.verifier))

    async def solve(self, spec: Spec, record: Record, order: Sequence[int]) -> Result:
        """Have the strategy of `spec` search among the solutions of a problem, in one order."""
        finished = [sample for sample in record.samples if sample.complete]
        solutions = (Candidate((completed(sample),), complete=True) for sample in finished)
        answers = {c.answer_text: s.answer for c, s in zip(solutions, finished, strict=True)}
        return await solve(
            Problem(record.problem, record.question),
            sized(spec.strategy, spec.n),
            RecordedModel(spec.model, record, order, self.sampling),
            RecordedScores(record, self.judge.ceiling) if spec.verifier and self.scored else None,
            sampling=self.sampling,
            extract=answers.get,
            seed=spec.seed,
            raising=False,
        )


def refuse_decided(names: Sequence[str]) -> None:
    """Refuse strategies that need no replay.

    Raises:
        ConfigError: the pool as a whole decides one, or it samples in another way.
    """
    for name in names:
        base = parse_spec(name)[0]
        if base in POOLED:
            raise ConfigError(
                f"{base!r} is decided by the whole pool, at every size, and stands in the report without a"
                " replay; name a strategy that stops early, such as adaptive-majority"
            )
        if base == GREEDY:
            raise ConfigError("'greedy' samples at temperature 0, which no pool of samples holds")


async def check_replayable(recording: Recording, spec: Spec, source: Path) -> None:
    """Refuse a strategy that the pool cannot answer: by its traits, its size, and on the first problem.

    Raises:
        ConfigError: it asks for what the pool does not have.
    """
    _check_kind(recording, spec, source)
    first = next(record for record in recording.records if record.samples)
    model = RecordedModel(spec.model, first, (), recording.sampling)
    scores = RecordedScores(first, recording.judge.ceiling) if spec.verifier else None
    check_suitable(sized(spec.strategy, spec.n), model, scores)
    result = await recording.solve(spec, first, range(len(first.samples)))
    if isinstance(result.cause, ConfigError):
        raise ConfigError(f"strategy {clipped(spec.strategy, 60)!r}: {result.cause}")


def _check_kind(recording: Recording, spec: Spec, source: Path) -> None:
    """Raise for the first reason why the pool cannot answer a strategy, with what would work."""
    strategy, pool = sized(spec.strategy, spec.n), shown(source)
    needs, most = strategy_traits(strategy), getattr(strategy, "n", 1)
    whole = "replay one that samples whole solutions, such as adaptive-majority, esc or short-m"
    rerank = f"with `reasoner rerank {pool} --verifier NAME`, and replay the result"
    reasons = {
        f"samples steps or continues solutions, and {pool} has whole ones only; {whole}": (
            needs.scores_steps or needs.continues
        ),
        f"reads the confidence of each token, which recorded solutions do not have; {whole}": (
            needs.confidences > 0
        ),
        f"may ask for {most} solutions, and a problem in {pool} has {recording.fewest}; choose --n"
        f" {recording.fewest} or less": most > recording.fewest,
        f"needs scores, and these solutions have none; score them {rerank}": (
            needs.verifier == "required" and not recording.scored
        ),
        "scores a part of the solutions, and the verifier of these compared all of them; score them one"
        f" by one {rerank}": spec.verifier is not None and recording.judge.comparative,
        f"goes by the length of solutions, and {pool} does not tell the tokens of each; replay one that"
        " does not, such as adaptive-majority": needs.watches and not recording.has_lengths,
    }
    for reason, applies in reasons.items():
        if applies:
            raise ConfigError(f"strategy {clipped(spec.strategy, 40)!r} {reason}")


def _judge(verifier: str | None) -> VerifierTraits:
    """Return the traits of the verifier that scored a pool; the default ones where it is not known."""
    if not verifier or parse_spec(verifier)[0] == RECORDED:
        return VerifierTraits()
    judge = verifiers.load(verifier)
    if isinstance(getattr(judge, "traits", None), property):  # They depend on its settings.
        judge = verifiers.make(verifier)
    return verifier_traits(judge)
