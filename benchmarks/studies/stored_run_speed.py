"""Measure the CPU seconds of `reasoner plot` and `reasoner report` on a stored run.

    python -m reasoner.benchmarks.studies.stored_run_speed runs/full --against ../reasoner-before

With `--against`, the code of another checkout of this repository runs in turn with this one, command by command,
so that both share the load of the machine. CPU seconds are those of user and system together, of the whole process.
Each checkout works on its own copy of the run, and the files that they write are compared byte by byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

from reasoner.errors import ConfigError
from reasoner.schema import Frozen

COMMANDS = ("plot", "report")
HERE = Path(__file__).resolve().parents[2]
THIS, OTHER = "this checkout", "the other"


class Timing(Frozen):
    """The CPU seconds of one command, for each checkout."""

    command: str
    seconds: dict[str, float]

    def __str__(self) -> str:
        cells = [f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items()]
        if OTHER in self.seconds:
            cells.append(f"ratio {self.seconds[THIS] / self.seconds[OTHER]:.2f}")
        return f"{self.command}: {', '.join(cells)}"


def checkout(path: Path) -> Path:
    """Return the root of a checkout.

    Raises:
        ConfigError: the package is not in it.
    """
    if not (path / "reasoner" / "__main__.py").is_file():
        raise ConfigError(f"{path} has no reasoner/__main__.py; give the root of a checkout")
    return path.absolute()


def cpu_seconds(root: Path, command: str, folder: Path) -> float:
    """Run a command of the checkout `root` in `folder`, and return its CPU seconds.

    Raises:
        ConfigError: the command fails.
    """
    program = [sys.executable, "-P", "-m", "reasoner", command, ".", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    before = getrusage(RUSAGE_CHILDREN)
    code = subprocess.call(program, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    if code:
        raise ConfigError(f"`reasoner {command}` of {root} fails on the run; see above")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timings(roots: Mapping[str, Path], folders: Mapping[str, Path]) -> Iterator[Timing]:
    """Yield the timing of each command, the checkouts in turn."""
    for command in COMMANDS:
        seconds = {n: cpu_seconds(root, command, folders[n]) for n, root in roots.items()}
        yield Timing(command=command, seconds=seconds)


def different(one: Path, other: Path) -> list[str]:
    """Return the names of files that are not the same in two folders, the database left out."""
    names = {p.name for folder in (one, other) for p in folder.iterdir() if "run.db" not in p.name}
    pairs = {name: (one / name, other / name) for name in sorted(names)}
    return [name for name, (a, b) in pairs.items() if _bytes(a) != _bytes(b)]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def main(argv: Sequence[str] | None = None) -> None:
    """Print the timing of each command, and the files that differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="what `bench --out` wrote")
    parser.add_argument("--against", type=Path, metavar="REF", help="another checkout")
    args = parser.parse_args(argv)
    roots = {THIS: HERE, **({OTHER: checkout(args.against)} if args.against else {})}
    with TemporaryDirectory() as scratch:
        folders = {name: Path(scratch, name) for name in roots}
        for folder in folders.values():
            shutil.copytree(args.run, folder)
        for timing in timings(roots, folders):
            print(timing, flush=True)
        if args.against:
            names = different(*folders.values())
            print(f"files that differ: {', '.join(names) or 'none'}")


if __name__ == "__main__":
    main()
