"""Experiment trackers: the metrics of a run while it goes on, and its points at the end."""
