"""An OpenAI-compatible server in which every search strategy is a model."""
