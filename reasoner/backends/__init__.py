"""Backends: engines and servers that run a model."""
