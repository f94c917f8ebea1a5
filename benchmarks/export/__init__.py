"""Training sets from stored runs, in the formats of TRL and verl."""
