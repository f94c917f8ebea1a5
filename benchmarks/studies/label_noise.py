"""Step AUC of a process reward model against the noise of its labels, its data and its depth.

    python -m reasoner.benchmarks.studies.label_noise --out runs/label-noise [--task dagmath] [--k 16] ...

Labels are sampled once, with the largest number of continuations per step. Noisier labels are subsamples of
these continuations, without replacement. Smaller sets have fewer problems and more epochs, so that every model
takes as many optimiser steps; smaller models are the first layers of the policy. All are measured on the same
exact labels of other problems. `reasoner train` does the work, one command per configuration, so that a stopped
run resumes where it was.
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
from pydantic import ValidationError

from reasoner.api import EMBEDDED
from reasoner.benchmarks.plots.looks import LOOKS, Look
from reasoner.benchmarks.plots.style import footnote, save, style
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.judgements import Labelled
from reasoner.documents import reason
from reasoner.files import save_json, save_text
from reasoner.options import Options, Positive, Seed
from reasoner.registry import tasks
from reasoner.schema import Frozen
from reasoner.types import Problem

Row = dict[str, Any]


class Study(Options):
    """The ranges of the study; `epochs` are those of the largest set.

    Every configuration is trained `seeds` times, each time on newly subsampled labels, which separates the
    effect of the seed from that of the configuration.
    """

    task: str = "dagmath"
    problems: Positive = 256
    solutions: Positive = 2
    test_problems: Positive = 200
    k: Positive = 16
    epochs: Positive = 4
    seed: Seed = 0
    seeds: Positive = 2

    def configs(self, seed: int) -> list[Config]:
        """Return every model to train, once: along each axis, at the least and at the most noise."""
        halvings = range(self.k.bit_length())
        sizes = [max(2, self.problems >> i) for i in range(4)]
        depths = sorted({max(1, layers() * i // 4) for i in (1, 2, 3, 4)})
        noisier = [Config(self.k >> i, self.problems, layers(), seed) for i in halvings]
        extremes = (noisier[0].k, noisier[-1].k)
        fewer = [Config(k, size, layers(), seed) for k in extremes for size in sizes]
        lower = [Config(k, self.problems, depth, seed) for k in extremes for depth in depths]
        return list(dict.fromkeys([*noisier, *fewer, *lower]))


@dataclass(frozen=True, slots=True)
class Config:
    """A model to train: continuations per step, problems, layers, seed."""

    k: int
    problems: int
    layers: int
    seed: int


class NoisePoint(Frozen):
    """The result of a configuration; `wrong` is the share of wrong labels."""

    k: int
    problems: int
    layers: int
    seed: int
    wrong: float
    auc: Estimate | None


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, and write label-noise.json, .png and .svg."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/label-noise"), metavar="DIR")
    parser.add_argument("--backend", default="vllm", help="backend of the policy (default: vllm)")
    for name, default in Study().model_dump().items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default,
            help=f"default: {default}",
        )  # fmt: skip
    args = vars(parser.parse_args(arguments))
    out, backend = args.pop("out"), args.pop("backend")
    try:
        study = Study(**args)
    except ValidationError as e:
        parser.error(reason(e))
    about = {**describe(arguments, "python -m reasoner.benchmarks.studies.label_noise"), **args}
    labelled, tested = label(study, out, backend)
    points = list(train(study, out, labelled, tested))
    document = {**about, "tokens": sum(r["tokens"] for r in labelled)}
    save_json({**document, "points": [p.model_dump() for p in points]}, out / "label-noise.json")
    draw(study, points, out, small_print(about))


def reasoner(*argv: str) -> None:
    """Run a command of `reasoner` in a separate process; exit with its code if it fails."""
    ended = subprocess.run(
        [sys.executable, "-m", "reasoner", *argv], stdout=sys.stderr, check=False
    )
    if ended.returncode:
        sys.exit(ended.returncode)


def label(study: Study, out: Path, backend: str) -> tuple[list[Row], Path]:
    """Return the labelled solutions to train on, and the file of exactly labelled ones to measure on."""
    learned, tested = out / "labels.jsonl", out / "exact.jsonl"
    common = ["train", "labels", "--task", study.task, "--backend", backend]
    common += ["--solutions", str(study.solutions), "--seed", str(study.seed)]
    sampled = ["--k", str(study.k), "--problems", str(study.problems), "--out", str(learned)]
    exact = ["--method", "exact", "--problems", str(study.test_problems), "--out", str(tested)]
    reasoner(*common, *sampled)
    reasoner(*common, *exact, "--split", "test")
    return [json.loads(line) for line in learned.read_text().splitlines()], tested


def train(study: Study, out: Path, labelled: Sequence[Row], tested: Path) -> Iterator[NoisePoint]:
    """Train every configuration, and yield its point; seed by seed."""
    for config in (c for i in range(study.seeds) for c in study.configs(study.seed + i)):
        rows = [thinned(row, config.k, config.seed) for row in first(labelled, config.problems)]
        folder = out / "-".join(f"{name}{value}" for name, value in asdict(config).items())
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "labels.jsonl"
        save_text("".join(json.dumps(row) + "\n" for row in rows), data)
        epochs = round(study.epochs * study.problems / config.problems)
        reasoner(
            "train", "prm", "--data", str(data), "--test", str(tested),
            "--model", str(truncated(out, config.layers)), "--epochs", str(epochs),
            "--seed", str(config.seed), "--out", str(folder / "prm"),
        )  # fmt: skip
        training = json.loads((folder / "prm" / "training.json").read_text())
        wrong = noise(study.task, rows)
        yield NoisePoint(**asdict(config), wrong=wrong, auc=training["held_out"]["auc"])


def first(rows: Sequence[Row], problems: int) -> list[Row]:
    """Return the solutions of the first `problems` problems."""
    prompts = set(list(dict.fromkeys(row["prompt"] for row in rows))[:problems])
    return [row for row in rows if row["prompt"] in prompts]


def thinned(row: Row, k: int, seed: int) -> Row:
    """Return `row` with the values of `k` of its continuations; equal prefixes get the same ones.

    The last step has no continuations: its value is the outcome.
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
    """Return the share of labels that differ from the exact ones."""
    labelled: Labelled = tasks.make(task)
    return fmean(
        label != exact
        for row in rows
        for label, exact in zip(
            row["labels"],
            labelled.step_labels(
                Problem(row["id"], row["prompt"]), row["separator"].join(row["completions"])
            ),
            strict=False,
        )
    )


def layers() -> int:
    """Return the number of layers of the embedded GPT."""
    return int(json.loads((EMBEDDED / "config.json").read_text())["num_hidden_layers"])


def truncated(out: Path, depth: int) -> Path:
    """Return a folder with the first `depth` layers of the embedded GPT; other weights are not loaded."""
    if depth == layers():
        return EMBEDDED
    folder = shutil.copytree(EMBEDDED, out / f"gpt-{depth}", dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    config |= {"num_hidden_layers": depth, "layer_types": config["layer_types"][:depth]}
    save_json(config, folder / "config.json")
    return folder


def small_print(about: dict[str, Any]) -> str:
    """Return the caption: training, test problems, machine, commit and date."""
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


def draw(study: Study, points: Sequence[NoisePoint], out: Path, caption: str) -> None:
    """Write label-noise.png and label-noise.svg: AUC against continuations, problems and layers."""
    whole = [p for p in points if (p.problems, p.layers) == (study.problems, layers())]
    ends = sorted({max(p.k for p in points), min(p.k for p in points)}, reverse=True)
    with plt.rc_context(style()):
        figure, (noisy, fewer, lower) = plt.subplots(1, 3, figsize=(12.5, 4.1), sharey=True)
        _line(noisy, whole, "k", "all layers, all problems", LOOKS[BEST])
        for k, look in zip(ends, (LOOKS[BEST], LOOKS["beam"]), strict=False):
            part = [p for p in points if p.k == k]
            _line(fewer, [p for p in part if p.layers == layers()], "problems", f"K = {k}", look)
            level = [p for p in part if p.problems == study.problems]
            _line(lower, level, "layers", f"K = {k}", look)
        wrong = {k: fmean(p.wrong for p in whole if p.k == k) for k in {p.k for p in whole}}
        shares = {k: f"{k}\n{share:.1%}" for k, share in wrong.items()}
        noisy.set_xticks(list(shares), list(shares.values()))
        noisy.set(
            xlabel="K (continuations per step); below: share of wrong labels", ylabel="step AUC"
        )
        fewer.set_xlabel(f"training problems ({study.solutions} solutions each)")
        lower.set_xlabel("layers of the policy")
        noisy.set_title(study.task)
        for axes in (fewer, lower):
            axes.legend(frameon=False, loc="best")
        foot = footnote(figure, caption, plt.rcParams["font.size"]) / figure.get_figheight()
        figure.tight_layout(rect=(0, foot, 1, 1), w_pad=2)
        save(figure, (out / "label-noise.png", out / "label-noise.svg"))
        plt.close(figure)


def _line(axes: Axes, points: Sequence[NoisePoint], along: str, name: str, look: Look) -> None:
    """Draw the mean AUC over powers of two, and each model's AUC with its interval over test problems."""
    aucs = defaultdict[int, list[Estimate]](list)
    for point in points:
        if point.auc:
            aucs[getattr(point, along)].append(point.auc)
    x = sorted(aucs)
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [str(at) for at in x])
    axes.minorticks_off()
    means = [fmean(e.value for e in aucs[at]) for at in x]
    axes.plot(
        x, means, look.marker, linestyle=look.dash, color=look.colour, lw=1.7, ms=4, label=name
    )
    for at, models in aucs.items():
        for auc in models:
            axes.plot([at, at], [auc.low, auc.high], "-", color=look.colour, lw=1.2, alpha=0.45)
            axes.plot(at, auc.value, look.marker, color=look.colour, ms=3.6, alpha=0.8)


if __name__ == "__main__":
    main()
