"""Parts that several strategies are made of."""
