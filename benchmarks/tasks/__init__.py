"""Tasks: problems, prompts, references and graders, one a file."""
