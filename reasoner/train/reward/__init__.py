"""Labels for steps, and the reward models and value heads that learn from them."""
