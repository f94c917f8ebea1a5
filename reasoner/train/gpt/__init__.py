"""Training of the embedded GPT and its verdicts."""
