"""Search strategies: ways to spend compute on one problem, one file each."""

from reasoner.search.ab_mcts import ABMCTS
from reasoner.search.adaptive_best_of_n import AdaptiveBestOfN
from reasoner.search.adaptive_majority import AdaptiveMajority
from reasoner.search.auto import Auto
from reasoner.search.beam import Beam
from reasoner.search.best_first import BestFirst
from reasoner.search.best_of_n import BestOfN
from reasoner.search.budget_forcing import BudgetForcing
from reasoner.search.deepconf import DeepConf
from reasoner.search.dvts import DVTS
from reasoner.search.ensemble import Ensemble
from reasoner.search.esc import ESC
from reasoner.search.fallback import Fallback
from reasoner.search.greedy import Greedy
from reasoner.search.iterative_broadening import IterativeBroadening
from reasoner.search.majority import Majority
from reasoner.search.mcts import MCTS
from reasoner.search.particle import Particle
from reasoner.search.particle_gibbs import ParticleGibbs
from reasoner.search.rebase import Rebase
from reasoner.search.revise import Revise
from reasoner.search.rstar import RStar
from reasoner.search.self_certainty import SelfCertainty
from reasoner.search.speculative_rejection import SpeculativeRejection
from reasoner.search.step_rejection import StepRejection
from reasoner.search.tot_bfs import TotBFS
from reasoner.search.tot_dfs import TotDFS
from reasoner.search.weighted import Weighted

__all__ = [
    "ABMCTS",
    "DVTS",
    "ESC",
    "MCTS",
    "AdaptiveBestOfN",
    "AdaptiveMajority",
    "Auto",
    "Beam",
    "BestFirst",
    "BestOfN",
    "BudgetForcing",
    "DeepConf",
    "Ensemble",
    "Fallback",
    "Greedy",
    "IterativeBroadening",
    "Majority",
    "Particle",
    "ParticleGibbs",
    "RStar",
    "Rebase",
    "Revise",
    "SelfCertainty",
    "SpeculativeRejection",
    "StepRejection",
    "TotBFS",
    "TotDFS",
    "Weighted",
]
