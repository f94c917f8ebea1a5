"""Experiments with a question of their own, one a file: `python -m reasoner.benchmarks.studies.NAME`."""
