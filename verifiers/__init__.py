"""Judges of candidates."""
