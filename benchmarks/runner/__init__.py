"""Runs: searches, diagnoses and rerankings, scheduled, resumable."""
