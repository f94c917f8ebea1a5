"""Parts that several verifiers are made of."""
