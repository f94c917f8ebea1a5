"""Ways to spend compute on one problem."""

from reasoner.search.beam import Beam
from reasoner.search.best_of_n import BestOfN
from reasoner.search.greedy import Greedy
from reasoner.search.majority import Majority
from reasoner.search.mcts import MCTS
from reasoner.search.weighted import Weighted

__all__ = ["MCTS", "Beam", "BestOfN", "Greedy", "Majority", "Weighted"]
