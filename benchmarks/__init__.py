"""Tasks, experiments, and the analysis of their results."""
