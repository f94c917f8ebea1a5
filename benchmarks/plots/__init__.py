"""Figures."""

from reasoner.extras import require

require("matplotlib", user="reasoner.benchmarks.plots")
