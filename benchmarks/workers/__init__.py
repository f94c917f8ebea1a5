"""Runs on many engines: workers that own an engine each, and the driver that gives them problems."""
