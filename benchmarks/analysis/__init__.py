"""Curves and comparisons, computed from stored results."""
