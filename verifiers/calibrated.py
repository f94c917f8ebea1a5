"""A verifier with its scores calibrated to probabilities of being correct."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pydantic.dataclasses import dataclass

from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem
from reasoner.verifiers.common.calibration import Calibration, Isotonic, Platt, load
from reasoner.verifiers.common.composite import Member, Nested


@dataclass(frozen=True)
class Calibrated(Nested):
    """`verifier` with its scores mapped by `calibration`, a curve or the path of a saved one.

    Step scores stay unchanged: a calibration is fitted to whole solutions.
    """

    verifier: Member
    calibration: Calibration | Path

    def __post_init__(self) -> None:
        """Reject an unknown name or bad file before any compute is spent."""
        _ = self.inner, self.curve

    def named(self) -> tuple[Member, ...]:
        """The wrapped verifier, by name or object."""
        return (self.verifier,)

    @cached_property
    def curve(self) -> Isotonic | Platt:
        """The calibration curve, loaded if `calibration` is a path."""
        return load(self.calibration) if isinstance(self.calibration, Path) else self.calibration

    @property
    def traits(self) -> VerifierTraits:
        """The verifier's; a curve that falls has its highest score at the other end."""
        traits = super().traits
        return replace(traits, ceiling=max(self.curve(0.0), self.curve(traits.ceiling)))

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score with the verifier and calibrate."""
        judgement = await self.inner[0].score(problem, candidates)
        scores = tuple(replace(s, value=self.curve(s.value)) for s in judgement.scores)
        return replace(judgement, scores=scores)
