"""Separate experiments and tools, one per file: `python -m reasoner.benchmarks.studies.NAME`."""
