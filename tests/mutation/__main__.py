"""Make each mistake in a copy of the tree and see the tests fail.

    python -m tests.mutation [NAME ...]

Takes the mutants whose names contain a NAME, or all. Exit code 1 where one survives, or cannot be
judged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tests import ROOT
from tests.mutation.table import MUTANTS, Mutant

SECONDS = 900
"""The longest that the tests of one mutant may take, on a machine that is busy."""
FAILED = 1
"""The exit code by which pytest tells that a test failed, and nothing else."""


def main(names: Sequence[str]) -> int:
    """Judge the mutants asked for; the exit code."""
    chosen = [m for m in MUTANTS if any(n in m.name for n in names or [""])]
    with copied(ROOT) as tree:
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        code, output = run(tree, tests)
        if code != 0:
            print(f"{output[-2000:]}\nthe tests do not pass without a mutant (pytest: {code})")
            return 1
        survivors = [m for m in chosen if not killed(tree, m)]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants died")
    return 1 if survivors else 0


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of the files that are under version control or might be."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        for name in filter(None, names.split("\0")):
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if (root / name).exists():
                shutil.copy2(root / name, target, follow_symlinks=False)
        yield Path(folder)


def killed(tree: Path, mutant: Mutant) -> bool:
    """Return True if a test fails with the mistake in `tree`, which is restored."""
    file, began = tree / mutant.file, monotonic()
    before = file.read_text()
    file.write_text(mutant.applied(tree))
    try:
        code, _ = run(tree, mutant.tests)
    finally:
        file.write_text(before)
    verdicts: dict[int | None, str] = {0: "SURVIVED", FAILED: "died"}
    verdict = verdicts.get(code, f"CANNOT BE JUDGED (pytest: {code})")
    print(f"{verdict:10} {monotonic() - began:4.0f} s  {mutant.name} ({mutant.file})", flush=True)
    return code == FAILED


def run(tree: Path, tests: Sequence[str]) -> tuple[int | None, str]:
    """Pytest in `tree`, whose packages go before the installed ones; no exit code if it is too late."""
    # A test that takes too long is no test that failed: there is one limit, for all of them.
    options = ["-qx", "-p", "no:cacheprovider", "-o", "timeout=0", "-o", "cpu_budget=0"]
    options += ["-m", "slow or not slow"]
    # Every version of a file is older or newer than others by the seconds of a run, so bytecode is safe.
    settings = {
        "CI": "1",  # Hypothesis then draws the same examples each time, and has no deadline for one.
        "PYTHONPATH": str(tree),
        "PYTHONPYCACHEPREFIX": str(tree / ".bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(tree / ".hypothesis"),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=tree,
            env=os.environ | settings,
            timeout=SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
