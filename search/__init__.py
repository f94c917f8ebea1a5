"""Search strategies: ways to spend compute on one problem, one file each.

The registry lists them. A class is imported on first use, so that one strategy does not load all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers; `reasoner.benchmarks.studies.document_strategy` writes it from the registry.
    from reasoner.search.ab_mcts import ABMCTS as ABMCTS
    from reasoner.search.adaptive_best_of_n import AdaptiveBestOfN as AdaptiveBestOfN
    from reasoner.search.adaptive_majority import AdaptiveMajority as AdaptiveMajority
    from reasoner.search.auto import Auto as Auto
    from reasoner.search.beam import Beam as Beam
    from reasoner.search.best_first import BestFirst as BestFirst
    from reasoner.search.best_of_n import BestOfN as BestOfN
    from reasoner.search.budget_forcing import BudgetForcing as BudgetForcing
    from reasoner.search.deepconf import DeepConf as DeepConf
    from reasoner.search.draft import Draft as Draft
    from reasoner.search.dvts import DVTS as DVTS
    from reasoner.search.ensemble import Ensemble as Ensemble
    from reasoner.search.esc import ESC as ESC
    from reasoner.search.fallback import Fallback as Fallback
    from reasoner.search.greedy import Greedy as Greedy
    from reasoner.search.iterative_broadening import IterativeBroadening as IterativeBroadening
    from reasoner.search.majority import Majority as Majority
    from reasoner.search.majority_of_the_bests import MajorityOfTheBests as MajorityOfTheBests
    from reasoner.search.mcts import MCTS as MCTS
    from reasoner.search.parallel_probe import ParallelProbe as ParallelProbe
    from reasoner.search.particle import Particle as Particle
    from reasoner.search.particle_gibbs import ParticleGibbs as ParticleGibbs
    from reasoner.search.pool import BudgetPool as BudgetPool
    from reasoner.search.power import Power as Power
    from reasoner.search.rebase import Rebase as Rebase
    from reasoner.search.revise import Revise as Revise
    from reasoner.search.rsa import RSA as RSA
    from reasoner.search.rstar import RStar as RStar
    from reasoner.search.s_star import SStar as SStar
    from reasoner.search.self_certainty import SelfCertainty as SelfCertainty
    from reasoner.search.short_m import ShortM as ShortM
    from reasoner.search.speculative_rejection import SpeculativeRejection as SpeculativeRejection
    from reasoner.search.step_rejection import StepRejection as StepRejection
    from reasoner.search.tot_bfs import TotBFS as TotBFS
    from reasoner.search.tot_dfs import TotDFS as TotDFS
    from reasoner.search.weighted import Weighted as Weighted
else:
    from importlib import import_module

    from reasoner.registry import strategies

    _MODULES = {
        name: module for module, _, name in (v.partition(":") for v in strategies.builtin.values())
    }
    __all__ = list(_MODULES)

    def __getattr__(name: str) -> Any:
        """Import the strategy of this class name."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
