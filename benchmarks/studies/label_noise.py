"""How well a process reward model ranks steps: by the noise of its labels, by data, and by depth.

    python -m reasoner.benchmarks.studies.label_noise --out runs/label-noise [--task dagmath] [--k 16] ...

Labels are drawn once, with the most continuations a step, and thinned to fewer: so many of a step's
continuations are drawn from those there are, without replacement. Smaller sets have fewer problems,
each of which is seen more often, so that every model takes as many steps; smaller models are the first
layers of the policy. All are measured on the same exact labels of other problems. The work is done by
`reasoner train`, one command a configuration, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any
from zlib import crc32

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from reasoner.api import EMBEDDED
from reasoner.benchmarks.plots.style import COLOURS, STYLE, save
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.judgements import Labelled
from reasoner.files import save_json
from reasoner.registry import tasks
from reasoner.schema import Frozen
from reasoner.types import Problem

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Study:
    """What to vary, and how far; `epochs` are those of the largest set.

    Every configuration is trained `seeds` times, on labels thinned anew: what a seed does is told
    from what is varied.
    """

    task: str = "dagmath"
    problems: int = 256
    solutions: int = 2
    test_problems: int = 200
    k: int = 16
    epochs: int = 4
    seed: int = 0
    seeds: int = 2

    def configs(self, seed: int) -> list[Config]:
        """Every model to train, once: along each axis at the least noise, and at the most."""
        halvings = range(self.k.bit_length())
        sizes = [max(2, self.problems >> i) for i in range(4)]
        depths = sorted({max(1, layers() * i // 4) for i in (1, 2, 3, 4)})
        whole = [Config(self.k >> i, self.problems, layers(), seed) for i in halvings]
        noisy = (whole[0].k, whole[-1].k)
        fewer = [Config(k, size, layers(), seed) for k in noisy for size in sizes]
        lower = [Config(k, self.problems, depth, seed) for k in noisy for depth in depths]
        return list(dict.fromkeys([*whole, *fewer, *lower]))


@dataclass(frozen=True, slots=True)
class Config:
    """A model to train: continuations a step, problems, layers, seed."""

    k: int
    problems: int
    layers: int
    seed: int


class Point(Frozen):
    """What came of a configuration; `wrong` is the share of its labels that are."""

    k: int
    problems: int
    layers: int
    seed: int
    wrong: float
    auc: Estimate | None


def main(argv: Sequence[str] | None = None) -> None:
    """Do what is not done yet, and write label-noise.json, .png and .svg."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/label-noise"), metavar="DIR")
    parser.add_argument("--backend", default="vllm", help="of the policy (default: vllm)")
    for name, default in asdict(Study()).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default,
            help=f"default: {default}",
        )  # fmt: skip
    args = vars(parser.parse_args(given))
    if low := [n for n, v in args.items() if isinstance(v, int) and v < (n != "seed")]:
        parser.error(f"{low[0]} must be positive")
    out, backend = args.pop("out"), args.pop("backend")
    about = {**describe(given, "python -m reasoner.benchmarks.studies.label_noise"), **args}
    study = Study(**args)
    labelled, tested = label(study, out, backend)
    points = list(train(study, out, labelled, tested))
    document = {**about, "tokens": sum(r["tokens"] for r in labelled)}
    save_json({**document, "points": [p.model_dump() for p in points]}, out / "label-noise.json")
    draw(study, points, out, small_print(about))


def reasoner(*argv: str) -> None:
    """Run a command of `reasoner` in a process of its own; if it fails, end as it did."""
    ended = subprocess.run(
        [sys.executable, "-m", "reasoner", *argv], stdout=sys.stderr, check=False
    )
    if ended.returncode:
        sys.exit(ended.returncode)


def label(study: Study, out: Path, backend: str) -> tuple[list[Row], Path]:
    """The labelled solutions to learn from, and the file of exactly labelled ones to measure on."""
    learned, tested = out / "labels.jsonl", out / "exact.jsonl"
    common = ["train", "labels", "--task", study.task, "--backend", backend]
    common += ["--solutions", str(study.solutions), "--seed", str(study.seed)]
    drawn = ["--k", str(study.k), "--problems", str(study.problems), "--out", str(learned)]
    exact = ["--method", "exact", "--problems", str(study.test_problems), "--out", str(tested)]
    reasoner(*common, *drawn)
    reasoner(*common, *exact, "--split", "test")
    return [json.loads(line) for line in learned.read_text().splitlines()], tested


def train(study: Study, out: Path, labelled: Sequence[Row], tested: Path) -> Iterator[Point]:
    """The point of every configuration, seed by seed."""
    for config in (c for i in range(study.seeds) for c in study.configs(study.seed + i)):
        rows = [thinned(row, config.k, config.seed) for row in first(labelled, config.problems)]
        folder = out / "-".join(f"{name}{value}" for name, value in asdict(config).items())
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "labels.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        epochs = round(study.epochs * study.problems / config.problems)
        reasoner(
            "train", "prm", "--data", str(data), "--test", str(tested),
            "--model", str(truncated(out, config.layers)), "--epochs", str(epochs),
            "--seed", str(config.seed), "--out", str(folder / "prm"),
        )  # fmt: skip
        told = json.loads((folder / "prm" / "training.json").read_text())
        wrong = noise(study.task, rows)
        yield Point(**asdict(config), wrong=wrong, auc=told["held_out"]["auc"])


def first(rows: Sequence[Row], problems: int) -> list[Row]:
    """The solutions of the first so many problems."""
    prompts = set(list(dict.fromkeys(row["prompt"] for row in rows))[:problems])
    return [row for row in rows if row["prompt"] in prompts]


def thinned(row: Row, k: int, seed: int) -> Row:
    """`row` as `k` of its continuations would have had it; where steps begin alike, the same ones.

    The last step has none: its value is the outcome.
    """
    values = list[float]()
    for i, value in enumerate(row["values"][:-1], start=1):
        right = round(value * row["k"])
        text = row["separator"].join(row["completions"][:i])
        rng = np.random.default_rng(crc32(f"{seed}/{k}/{row['prompt']}/{text}".encode()))
        values.append(rng.hypergeometric(right, row["k"] - right, k) / k)
    values += row["values"][-1:]
    return {**row, "k": k, "values": values, "labels": [value > 0 for value in values]}


def noise(task: str, rows: Iterable[Row]) -> float:
    """The share of labels that are not the exact ones."""
    made: Labelled = tasks.make(task)
    return fmean(
        told != right
        for row in rows
        for told, right in zip(
            row["labels"],
            made.step_labels(
                Problem(row["id"], row["prompt"]), row["separator"].join(row["completions"])
            ),
            strict=False,
        )
    )


def layers() -> int:
    """How many the embedded GPT has."""
    return int(json.loads((EMBEDDED / "config.json").read_text())["num_hidden_layers"])


def truncated(out: Path, depth: int) -> Path:
    """A folder with the first `depth` layers of the embedded GPT: weights of others are not loaded."""
    if depth == layers():
        return EMBEDDED
    folder = shutil.copytree(EMBEDDED, out / f"gpt-{depth}", dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    config |= {"num_hidden_layers": depth, "layer_types": config["layer_types"][:depth]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def small_print(about: dict[str, Any]) -> str:
    """What was trained on what, machine, commit and date."""
    machine = about["hardware"]
    parts = [
        "95 % intervals over problems",
        f"{about['seeds']} seed{'s' * (about['seeds'] > 1)}",
        f"{about['test_problems']} test problems × {about['solutions']} solutions, exact labels",
        machine["gpu"] or f"{machine['cores']} cores, {machine['cpu']}",
        f"commit {about['commit']}",
        about["date"][:10],
    ]
    return "  ·  ".join(parts)


def draw(study: Study, points: Sequence[Point], out: Path, caption: str) -> None:
    """Write label-noise.png and label-noise.svg: AUC against continuations, problems and layers."""
    whole = [p for p in points if (p.problems, p.layers) == (study.problems, layers())]
    ends = sorted({max(p.k for p in points), min(p.k for p in points)}, reverse=True)
    with plt.rc_context(STYLE):
        figure, (noisy, fewer, lower) = plt.subplots(1, 3, figsize=(12.5, 4.1), sharey=True)
        _line(noisy, whole, "k", "every layer, all problems", COLOURS[BEST])
        for k, colour in zip(ends, (COLOURS[BEST], COLOURS["beam"]), strict=False):
            part = [p for p in points if p.k == k]
            _line(fewer, [p for p in part if p.layers == layers()], "problems", f"K = {k}", colour)
            level = [p for p in part if p.problems == study.problems]
            _line(lower, level, "layers", f"K = {k}", colour)
        wrong = {k: fmean(p.wrong for p in whole if p.k == k) for k in {p.k for p in whole}}
        shares = {k: f"{k}\n{share:.1%}" for k, share in wrong.items()}
        noisy.set_xticks(list(shares), list(shares.values()))
        noisy.set(xlabel="K, continuations a step; below, labels that are wrong", ylabel="step AUC")
        fewer.set_xlabel(f"problems to learn from, {study.solutions} solutions of each")
        lower.set_xlabel("layers of the policy")
        noisy.set_title(f"{study.task}", loc="left", weight="bold")
        for axes in (fewer, lower):
            axes.legend(frameon=False, loc="best")
        figure.text(0.01, 0.012, caption, fontsize=7.5, color="#666666")
        figure.tight_layout(rect=(0, 0.03, 1, 1), w_pad=2)
        save(figure, (out / "label-noise.png", out / "label-noise.svg"))
        plt.close(figure)


def _line(axes: Axes, points: Sequence[Point], along: str, name: str, colour: str) -> None:
    """The mean AUC over powers of two, and each model's with its interval over test problems."""
    found = defaultdict[int, list[Estimate]](list)
    for point in points:
        if point.auc:
            found[getattr(point, along)].append(point.auc)
    x = sorted(found)
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [str(at) for at in x])
    axes.minorticks_off()
    means = [fmean(e.value for e in found[at]) for at in x]
    axes.plot(x, means, "-", color=colour, lw=1.7, label=name)
    for at, models in found.items():
        for auc in models:
            axes.plot([at, at], [auc.low, auc.high], "-", color=colour, lw=1.2, alpha=0.45)
            axes.plot(at, auc.value, "o", color=colour, ms=3.6, alpha=0.8)


if __name__ == "__main__":
    main()
