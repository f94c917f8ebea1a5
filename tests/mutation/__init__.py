"""Mutants: mistakes that the tests must notice (`make check-slow`)."""
