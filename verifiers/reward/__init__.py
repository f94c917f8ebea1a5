"""Reward models: what a candidate becomes for them, who computes them, what is remembered."""
