"""Models on disk and vLLM engines: paths, sizes, arguments, start."""
