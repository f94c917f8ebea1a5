"""Further training of a policy: on solutions, by expert iteration, or by reinforcement."""
