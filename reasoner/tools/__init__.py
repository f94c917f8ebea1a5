"""Tools that a model may use while it writes a solution, one per file."""
