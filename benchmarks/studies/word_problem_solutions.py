"""Write solved word problems to fine-tune a small model on: the training data of `smollm2-math`.

    python -m reasoner.benchmarks.studies.word_problem_solutions --gsm8k train.jsonl --out solutions.jsonl

The file has 9,600 solutions, one step a line, the answer on a last line `#### 42`: 6,700 problems of
gsm_symbolic, 700 of leg_counting and 700 of chain_sum, all of split "train", and 1,500 of GSM8K's training
problems whose solutions are short. `--gsm8k` is that data set as JSON lines of `question` and `answer`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from reasoner.benchmarks.tasks.reasoning_gym import ReasoningGym
from reasoner.files import read_lines, save_text

PARTS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("gsm_symbolic", 6700, {}),
    ("leg_counting", 700, {"max_animals": 6}),
    ("chain_sum", 700, {"max_terms": 5, "max_digits": 3}),
)
"""The data sets of reasoning-gym, the numbers of their problems, and their settings."""
GSM8K, LONGEST = 1500, 400
"""The number of problems of GSM8K, and the characters of a solution from which one is left out."""
CALCULATION = re.compile(r"<<.*?>>")
"""GSM8K's marks for a calculator."""

Row = dict[str, str]


def generated(dataset: str, count: int, config: dict[str, Any]) -> Iterator[Row]:
    """Yield problems of a data set of reasoning-gym, with their worked solutions."""
    task = ReasoningGym(dataset, config=config, form="hashes", step="\n", instruction="")
    for solved in task.demonstrations("train", count, 0):
        yield {"prompt": solved.prompt, "completion": solved.solution}


def short(file: Path) -> list[Row]:
    """Return the problems of GSM8K whose solutions are short, without marks."""
    rows = [json.loads(line) for line in read_lines(file)]
    solved = [
        {
            "prompt": row["question"].strip(),
            "completion": CALCULATION.sub("", row["answer"]).strip(),
        }
        for row in rows
    ]
    return [row for row in solved if len(row["completion"]) < LONGEST]


def mixed(gsm8k: Path) -> list[Row]:
    """Return all problems in random order."""
    rows = [row for part in PARTS for row in generated(*part)]
    rows += Random(0).sample(short(gsm8k), GSM8K)
    Random(1).shuffle(rows)
    return rows


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gsm8k", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")
    args = parser.parse_args()
    save_text("".join(json.dumps(row) + "\n" for row in mixed(args.gsm8k)), args.out)


if __name__ == "__main__":
    main()
