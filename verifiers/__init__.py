"""Verifiers: score candidate solutions."""
