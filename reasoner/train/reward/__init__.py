"""Step labels, and the reward models and value heads that are trained on them."""
