"""Wrong command lines, by command: what is typed, and a part of what is to be answered.

A word such as {run} stands for something that `places` puts there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.reasoner.cli import values as v

Line = tuple[list[str], str]

SCRIPTED = ["--model", "scripted"]
SOLVE = ["solve", "1+2", *SCRIPTED]
BENCH = ["bench", *SCRIPTED, "--out", "{out}"]
FIT = ["fit-auto", *SCRIPTED, "--out", "{out}"]
JUDGE = ["eval-verifier", *SCRIPTED, "--out", "{out}"]
IMPORT = ["import-pool", "{pool}", "--task", "countdown"]
EXPORT = ["export-pool", "{run}", "--out", "{out}"]
SETS = ["export", "{run}", "--out", "{out}"]
REPLAY = ["replay", "{run}", "--out", "{out}"]
RERANK = ["rerank", "{run}", *SCRIPTED, "--out", "{out}"]
INSPECT = ["inspect", "{run}", "0"]
POLICY = ["train", "policy", "--out", "{out}"]
LABELS = ["train", "labels", *SCRIPTED, "--out", "{out}.jsonl"]
GPT = ["train", "gpt", "--out", "{out}"]
PRM = ["train", "prm", "--data", "{labels}"]
ORM = ["train", "orm", "--data", "{labels}"]
HEAD = ["train", "value-head", "--data", "{labels}"]

ROW = {
    "id": "a", "task": "t", "prompt": "p", "completions": ["s"], "separator": "\n",
    "labels": [True], "values": [None], "correct": True, "method": "omega", "k": 1, "tokens": 1,
}  # fmt: skip
POOL = {"id": "a", "question": "cd:1,2=3", "answer": "3", "completions": ["1+2=3:3?+0"]}


def places(root: Path) -> dict[str, str]:
    """Put files, folders and things that are neither below `root`; returns where, by name."""
    (root / "file").write_text("text")
    (root / "empty").mkdir()
    os.mkfifo(root / "fifo")
    for name, config in (("broken", "{broken"), ("strange", "[]")):
        (root / name).mkdir()
        (root / name / "config.json").write_text(config)
    (root / "special").mkdir()
    os.mkfifo(root / "special" / "config.json")
    rows = [json.dumps(ROW | {"id": name, "prompt": name}) for name in "ab"]
    (root / "labels").write_text("\n".join(rows) + "\n")
    (root / "pool").write_text(json.dumps(POOL) + "\n")
    return {name: str(root / name) for name in (*os.listdir(root), "run", "out")}


def typed(argv: Iterable[str], where: Mapping[str, str]) -> list[str]:
    """The words of a line, with the places filled in."""
    return [_filled(word, where) for word in argv]


def _filled(word: str, where: Mapping[str, str]) -> str:
    for name, place in where.items():
        word = word.replace(f"{{{name}}}", place)
    return word


def lines() -> Iterator[tuple[str, Line]]:
    """Every line, with a name that tells it apart."""
    for command, wrong in WRONG.items():
        for i, line in enumerate(wrong):
            end = " ".join(line[0])[-24:].encode("ascii", "replace").decode()
            yield f"{command}-{i}-{end}".replace("\0", "NUL"), line


def values(start: list[str], option: str, wrong: Iterable[str | tuple[str, str]]) -> list[Line]:
    """Values that the option cannot have, some with a part of the answer."""
    hinted = [(w, "") if isinstance(w, str) else w for w in wrong]
    return [([*start, f"{option}={value}"], hint) for value, hint in hinted]


def words(start: list[str], wrong: Iterable[str], *after: str) -> list[Line]:
    """Words that cannot stand there."""
    return [([*start, word, *after], "") for word in wrong]


def options(start: list[str], *named: str) -> list[Line]:
    """Options that miss their value, do not exist, or are cut short."""
    return [
        *(([*start, name], f"argument {name}: expected") for name in named),
        ([*start, named[-1][:-1], "1"], "unrecognized arguments"),
        ([*start, "--nothing=3"], "unrecognized arguments"),
        ([*start, "--json=3"], "ignored explicit argument"),
    ]


WRONG: dict[str, list[Line]] = {
    "demo": [
        (["demo", "1+2"], "unrecognized arguments"),
        (["demo", "--n=3"], "unrecognized arguments"),
        (["demo", "--json=3"], "ignored explicit argument"),
    ],
    "environment": [
        (["environment", "x"], "unrecognized arguments"),
        (["environment", "--json=3"], "ignored explicit argument"),
    ],
    "logs": [
        (line, hint)
        for start in (BENCH, FIT, JUDGE, RERANK, POLICY, LABELS, PRM)
        for line, hint in (
            ([*start, "--log-file"], "argument --log-file: expected"),
            ([*start, "--log-file={empty}"], "is not a regular file"),
            ([*start, "--log-file="], "it is empty"),
            ([*start, "--quiet=1"], "ignored explicit argument"),
        )
    ],
    "completion": [
        (["completion"], "required: shell"),
        (["completion", "csh"], "did you mean zsh"),
        (["completion", "bash", "--out=x"], "unrecognized"),
    ],
    "names": [
        (["benhc"], "did you mean bench"),
        (["sol", "1+2"], "invalid choice: 'sol'"),
        ([""], "invalid choice"),
        (["--nothing"], "required: COMMAND"),
        ([v.LONG], "invalid choice"),
        ([v.SURROGATE], v.UNREADABLE),
        (["so\0lve"], v.UNREADABLE),
    ],
    "list": [
        (["list", "strategy"], "did you mean strategies"),
        (["list", ""], "invalid choice"),
        (["list", "strategies", "verifiers"], "unrecognized arguments"),
        (["list", "--js"], "unrecognized arguments"),
        (["list", "--json=yes"], "ignored explicit argument"),
    ],
    "solve": [
        (["solve"], "required: problem"),
        (["solve", "", *SCRIPTED], "empty"),
        (["solve", v.SURROGATE, *SCRIPTED], v.UNREADABLE),
        (["solve", "1+2", "3", *SCRIPTED], "unrecognized arguments: 3"),
        ([*SOLVE, "--verifier", "oracle"], "reasoner bench"),
        ([*SOLVE, "--strategy", "esc(n=77)", "--n", "16"], "n=77 in its brackets, and n=16"),
        (
            [*SOLVE, "--second", "scripted"],
            "asked by draft and rstar only, and --strategy is best-of-n",
        ),
        *values(SOLVE, "--tools", v.TOOLS),
        ([*SOLVE, "--strategy=power", "--tools=python"], "use it without tools"),
        *values(["solve", "1+2", "--strategy=draft"], "--second", v.MODEL),
        *options(SOLVE, "--n", "--seed", "--model", "--backend", "--base-url", "--budget"),
        *values(SOLVE, "--strategy", v.STRATEGY),
        *values(SOLVE, "--verifier", v.VERIFIER),
        *values(["solve", "1+2"], "--backend", v.BACKEND),
        *values(SOLVE, "--task", v.TASK),
        *values(["solve", "1+2"], "--model", v.MODEL),
        *values(SOLVE, "--n", v.COUNT),
        *values(SOLVE, "--seed", v.SEED),
        *values(SOLVE, "--budget", v.BUDGET),
        *values(["solve", "1+2", "--model", "m"], "--base-url", v.URL),
    ],
    "solve by vLLM": values(["solve", "1+2"], "--backend", v.ENGINE),
    "bench": [
        *options(BENCH, "--spec", "--strategy", "--n", "--search-n", "--problems", "--budget"),
        *values(BENCH, "--n", v.SIZES[1::2]),
        ([*BENCH, "--strategy=esc(n=77)", "--search-n", "esc(n=77)=4"], "n=77 in its brackets"),
        ([*BENCH, "--second=scripted"], "asked by draft and rstar only"),
        *values(BENCH, "--tools", v.TOOLS),
        ([*BENCH, "--strategy=power", "--tools=python"], "use it without tools"),
        *values(["bench", "--out={out}", "--strategy=draft"], "--second", v.MODEL[::2]),
        *values(BENCH, "--search-n", [*v.FEW, "mtcs=2", "mcts=", "=", "mcts=0", "beam=4,mcts=8"]),
        *values(BENCH, "--search-problems", v.FEW),
        *values(BENCH, "--problems", v.FEW),
        *values(BENCH, "--concurrency", v.FEW),
        *values(BENCH, "--seed", v.FEW[1:]),
        *values(BENCH, "--budget", v.BUDGET[:8]),
        *values(BENCH, "--strategy", [",", *v.STRATEGY[12:40:3]]),
        *values(BENCH, "--verifier", v.VERIFIER[::2]),
        *values(["bench", "--out={out}"], "--backend", v.BACKEND[::3]),
        *values(BENCH, "--task", [",", *v.TASK[::2]]),
        *values(["bench", "--out={out}"], "--model", v.MODEL[::2]),
        *values(["bench", *SCRIPTED], "--out", v.FOLDER),
        *values([*BENCH, "--task", "jsonl"], "--data", [*v.INPUT[:3], *v.INPUT[4:], "{file}"]),
        *values(["bench", "--model=m", "--out={out}"], "--base-url", v.URL[:-1:3]),
        *values(BENCH, "--spec", v.INPUT),
        ([*BENCH, "--task", "jsonl"], "with --data"),
        ([*BENCH, "--task", "jsonl", "--data="], "it is empty"),
        ([*BENCH, "--data", "x.jsonl"], "is for one task"),
    ],
    "bench within a total": [
        *options(BENCH, "--total-budget", "--price"),
        *values(
            BENCH,
            "--total-budget",
            [*v.BUDGET[:4], "seconds=5", "requests=2", "tokens=0", "tokens=1.5"],
        ),
        *values(BENCH, "--price", v.PRICE),
        ([*BENCH, "--total-budget", "cost=5"], "add --price"),
        ([*BENCH, "--total-budget", "cost=5", "--price", "prompt=0"], "add --price"),
        ([*BENCH, "--total-budget", "tokens=5", "--shard", "1/2"], "leave out --shard"),
        ([*BENCH, "--total-budget", "tokens=5", "--workers", "ray"], "leave out --workers"),
        ([*BENCH, "--workers", "ray:127.0.0.1:9"], "no Ray cluster at 127.0.0.1:9"),
        ([*BENCH, "--track", "mlfow"], "did you mean mlflow?"),
    ],
    "allocate": [
        (["allocate"], "required: DIR"),
        *words(["allocate"], v.RUN),
        *options(["allocate", "{run}"], "--totals", "--cost", "--strategy", "--ceiling", "--out"),
        *values(["allocate", "{run}"], "--totals", [*v.FEW, ",", "1,,2", "inf", "tokens=5"]),
        *values(["allocate", "{run}"], "--cost", ["", "token", "seconds"]),
        *values(["allocate", "{run}"], "--strategy", [*v.STRATEGY[::4], ("beam", "only pool")]),
        *values(["allocate", "{run}"], "--ceiling", v.SHARE),
        *values(["allocate", "{run}"], "--out", v.FOLDER[1::2]),
    ],
    "merge": [
        (["merge"], "required: DIR"),
        *words(["merge"], v.RUN),
        *words(["merge", "{run}"], v.RUN[:4]),
        (["merge", "{run}", "--out", "{run}"], "is one of the runs"),
        *values(["merge", "{run}"], "--out", v.FOLDER[1::2]),
        *options(["merge", "{run}"], "--out"),
        *values(
            BENCH,
            "--workers",
            ["", "dask", "ray:", "ray:host", "ray(engines=0)", "ray(engine=2)", "ray(2)"],
        ),
        *values(BENCH, "--shard", ["", "0/2", "3/2", "2", "a/b", "1/99999999", "1/2/3"]),
    ],
    "compare": [
        (["compare"], "required: DIR"),
        *words(["compare"], v.RUN),
        *words(["compare", "{run}"], v.RUN[:4]),
        *values(["compare", "{run}"], "--n", [*v.FEW, "77", ",", "1,,2"]),
        *values(["compare", "{run}"], "--out", v.FOLDER[1::2]),
        *values(["compare", "{run}"], "--format", ["", "bmp", "png,"]),
        *values(["compare", "{run}"], "--width", ["", "3", "one", v.LONG]),
        *options(["compare", "{run}"], "--n", "--out", "--format", "--width"),
    ],
    "eval-verifier": [
        *options(JUDGE, "--n", "--dev-problems", "--steps"),
        *values(JUDGE, "--n", v.FEW),
        *values(JUDGE, "--dev-problems", v.FEW),
        *values(JUDGE, "--steps", ["", "some", "prefix"]),
        *values(["eval-verifier", *SCRIPTED], "--out", v.FOLDER[:5]),
        *values(JUDGE, "--verifier", [*v.VERIFIER[::3], "oracle"]),
        *values(JUDGE, "--task", v.TASK[:5]),
    ],
    "fit-auto": [
        *options(FIT, "--probe", "--bins", "--tolerance", "--arms"),
        *values(FIT, "--arms", v.ARMS),
        *values(FIT, "--probe", v.FEW),
        *values(FIT, "--bins", v.FEW),
        *values(FIT, "--tolerance", v.SHARE),
        *values(["fit-auto", *SCRIPTED], "--out", [*v.FOLDER[:5], "auto.json"]),
        *values(FIT, "--verifier", [*v.VERIFIER[1::3], "oracle"]),
    ],
    "plot": [
        (["plot"], "required: DIR"),
        *words(["plot"], v.RUN),
        *values(["plot", "{run}"], "--against", ["", ",", "tokns", "price", v.LONG, v.SURROGATE]),
        *values(["plot", "{run}"], "--price", v.PRICE),
        *values(["plot", "{run}"], "--format", ["", ",", "bmp", "png,", "PNG", v.LONG]),
        *values(["plot", "{run}"], "--width", ["", "3", "one", "one-colum", v.LONG]),
        (["plot", "{run}", "--error-rate=1"], "ignored explicit argument"),
        (["plot", "{run}", "{out}", "--error-rate"], "--error-rate is for one DIR"),
        *options(["plot", "{run}"], "--price", "--format", "--against", "--width"),
    ],
    "import-pool": [
        (["import-pool"], "required: FILE"),
        (["import-pool", "{pool}"], "required: --task"),
        *words(["import-pool"], v.INPUT, "--task", "countdown"),
        *values(["import-pool", "{pool}", "--out={out}"], "--task", v.TASK[::2]),
        *values(IMPORT, "--out", v.FOLDER),
        *values([*IMPORT, "--out={out}"], "--aggregate", ["", "max"]),
        *values([*IMPORT, "--out={out}"], "--question-field", ["", "nothing", v.LONG]),
        *options(IMPORT, "--task", "--out", "--aggregate", "--id-field"),
    ],
    "export-pool": [
        (["export-pool"], "required: DIR"),
        (["export-pool", "{run}"], "required: --out"),
        *words(["export-pool"], v.RUN, "--out={out}"),
        *values(EXPORT, "--task", ["dagmath", "x", "", v.LONG]),
        *values(["export-pool", "{run}"], "--out", v.OUTPUT),
        *options(EXPORT, "--task"),
    ],
    "export": [
        (["export"], "required: DIR"),
        (["export", "{run}", "--format=sft"], "required: --out"),
        ([*SETS], "required: --format"),
        *words(["export"], v.RUN, "--out={out}", "--format=sft"),
        *values(SETS, "--format", ["", "dpo"]),
        *values([*SETS, "--format=sft"], "--library", ["", "trlx"]),
        *values([*SETS, "--format=sft"], "--task", ["dagmath", "x", "", v.LONG]),
        *values([*SETS, "--format=sft"], "--most", v.FEW),
        *values(["export", "{run}", "--format=sft"], "--out", v.OUTPUT),
        ([*SETS, "--format=prm", "--library=verl"], "verl has no format for prm"),
    ],
    "rerank": [
        (["rerank"], "required: DIR"),
        (["rerank", "{run}"], "required: --verifier"),
        *words(["rerank"], v.RUN, *SCRIPTED, "--verifier=arithmetic"),
        *values(RERANK, "--verifier", [*v.VERIFIER[1::2], "oracle"]),
        *values(["rerank", "{run}", *SCRIPTED, "--verifier=arithmetic"], "--out", v.FOLDER),
        *values([*RERANK, "--verifier=arithmetic"], "--concurrency", v.FEW),
        *values(
            ["rerank", "{run}", "--out={out}", "--verifier=verdict"], "--backend", v.BACKEND[1::3]
        ),
        *options([*RERANK, "--verifier=arithmetic"], "--out", "--concurrency"),
    ],
    "replay": [
        (["replay"], "required: DIR"),
        (["replay", "{run}"], "required: --strategy"),
        *words(["replay"], v.RUN, "--strategy=esc"),
        *values(
            REPLAY, "--strategy", [*v.STRATEGY[1::3], "majority", "greedy", "beam", "deepconf"]
        ),
        *values([*REPLAY, "--strategy=esc"], "--n", [*v.FEW, "77"]),
        *values([*REPLAY, "--strategy=esc"], "--orders", [*v.FEW, "1001"]),
        *values(["replay", "{run}", "--strategy=esc"], "--out", v.FOLDER),
        *options([*REPLAY, "--strategy=esc"], "--out", "--orders"),
    ],
    "inspect": [
        (["inspect"], "required: DIR, PROBLEM"),
        (["inspect", "{run}"], "required: PROBLEM"),
        *words(["inspect"], v.RUN, "0"),
        *words(
            ["inspect", "{run}"], ["99", "--99", "", "x", v.HUGE, v.DIGITS, v.LONG, "1.5", "-1"]
        ),
        *values(INSPECT, "--strategy", ["beem", "dvts", "x", "", v.LONG, "greedy("]),
        *values(INSPECT, "--task", ["dagmath", "x", "", v.LONG]),
        *values([*INSPECT, "--strategy=best-of-n"], "--n", [*v.FEW, "77"]),
        *options(INSPECT, "--task", "--n", "--strategy"),
    ],
    "report": [
        (["report"], "required: DIR"),
        *words(["report"], v.RUN),
        *values(["report", "{run}"], "--out", v.OUTPUT),
        *values(["report", "{run}"], "--problems", v.FEW),
        *options(["report", "{run}"], "--out", "--problems"),
    ],
    "scaling": [
        (["scaling"], "required: DIR"),
        *words(["scaling"], v.RUN),
        *values(["scaling", "{run}"], "--n", [*v.FEW, "77"]),
        *values(["scaling", "{run}"], "--accuracy", v.SHARE),
        *values(["scaling", "{run}"], "--out", v.FOLDER[::2]),
        *options(["scaling", "{run}"], "--n", "--out", "--accuracy"),
    ],
    "serve": [
        *options(["serve", "scripted"], "--host", "--port", "--config", "--strategy"),
        *values(
            ["serve", "scripted"], "--port", ["", "-1", "65536", "1.5", "x", v.HUGE, v.SURROGATE]
        ),
        *values(
            ["serve", "scripted"],
            "--host",
            ["", "0.0.0.0", "::", "nowhere.invalid", v.SURROGATE, v.LONG],
        ),
        *values(["serve", "scripted"], "--strategy", v.STRATEGY),
        *values(
            ["serve", "scripted"], "--task", ["", "countdwn", "countdown(", v.LONG, v.SURROGATE]
        ),
        *values(
            ["serve", "scripted"],
            "--config",
            ["", "{out}", "{empty}", "{fifo}", "{file}", v.SURROGATE],
        ),
        *values(["serve", "scripted"], "--key-file", ["", "{out}", "{empty}", "{fifo}"]),
    ],
    "train": [
        (["train"], "required: KIND"),
        (["train", "rpm"], "did you mean prm"),
        (["train", ""], "invalid choice"),
        (["train", v.LONG], "invalid choice"),
        (["train", "--out", "runs/train"], "reasoner train --help"),
    ],
    "train gpt": [
        *options(GPT, "--stage", "--steps", "--seed", "--model", "--problems"),
        *values(GPT, "--stage", ["", "polici", "all"]),
        *(
            line
            for name in ("steps", "verdict-steps", "verdict-layers", "rollouts", "times")
            for line in values(GPT, f"--{name}", ["0", "-1", "x", "1000000000000"])
        ),
        *values(GPT, "--test-problems", v.FEW),
        *values(GPT, "--seed", v.FEW[1:]),
        *values(["train", "gpt"], "--out", v.FOLDER),
        *words([*GPT, "--problems"], ["0", "-1", "x", "1000000000000"], "5"),
        ([*GPT, "--problems", "5"], "expected 2 arguments"),
        ([*GPT, "--problems", "5", "6", "7"], "unrecognized arguments"),
        *values([*GPT, "--stage=evaluate"], "--model", (m for m, _ in v.MODEL[::2])),
        *values([*GPT, "--stage=policy"], "--model", (m for m, _ in v.MODEL[1:8:2])),
        ([*GPT, "--stage", "rollouts"], "run the earlier stages"),
        ([*GPT, "--stage", "verdict"], "run the earlier stages"),
        ([*GPT, "--stage", "evaluate"], "run the earlier stages"),
        ([*GPT, "--model", "x"], "name it with --stage"),
        ([*GPT, "--fresh=3"], "ignored explicit argument"),
    ],
    "train policy": [
        (["train", "policy"], "give --data FILE.jsonl or --task NAME"),
        ([*POLICY, "--method=reinforce"], "needs problems to solve: give --task"),
        (
            [*POLICY, "--method=expert-iteration", "--task=countdown", "--data={labels}"],
            "leave --data out",
        ),
        ([*POLICY, "--task=gsm8k"], "no solutions of its own"),
        ([*POLICY, "--data={pool}"], "name the --task that grades them"),
        *options([*POLICY, "--task=countdown"], "--method", "--rounds", "--samples", "--reward"),
        *values([*POLICY, "--task=countdown"], "--method", ["", "ppo"]),
        *values(POLICY, "--task", v.TASK[1::2]),
        *values(POLICY, "--data", [*v.INPUT, "{file}"]),
        *values([*POLICY, "--task=countdown"], "--rate", v.RATE),
        *values([*POLICY, "--task=countdown"], "--epochs", v.FEW),
        *values([*POLICY, "--task=countdown"], "--lora", ["-1", "x", "1000000"]),
        *values([*POLICY, "--task=countdown"], "--threshold", v.SHARE),
        *values([*POLICY, "--task=countdown"], "--precision", ["", "float16"]),
        *values([*POLICY, "--data={labels}"], "--model", v.MODEL[1::3]),
        *values(["train", "policy", "--task=countdown"], "--out", v.FOLDER[:5]),
    ],
    "train labels": [
        (["train", "labels"], "required: --task"),
        *options([*LABELS, "--task=countdown"], "--task", "--k", "--method", "--split"),
        *values(LABELS, "--task", [*v.TASK[1::2], "countdown,dagmath"]),
        *values([*LABELS, "--task=countdown"], "--problems", v.FEW),
        *values([*LABELS, "--task=countdown"], "--solutions", v.FEW),
        *values([*LABELS, "--task=countdown"], "--k", v.FEW),
        *values([*LABELS, "--task=countdown"], "--skip", ["", "-1", "some", "1.5"]),
        *values([*LABELS, "--task=countdown"], "--method", ["", "shepherd"]),
        *values([*LABELS, "--task=countdown"], "--split", ["", "training", v.LONG]),
        *values(["train", "labels", *SCRIPTED, "--task=countdown"], "--out", ["x.json", *v.OUTPUT]),
        ([*LABELS, "--task", "jsonl"], "no data is named"),
        *values(
            ["train", "labels", "--task=countdown", "--out={out}.jsonl"], "--model", v.MODEL[1::2]
        ),
        *values(
            ["train", "labels", "--task=countdown", "--out={out}.jsonl"],
            "--backend",
            v.BACKEND[2::3],
        ),
    ],
    "train prm": [
        (["train", "prm"], "required: --data"),
        *options([*PRM, "--out={out}"], "--target", "--data", "--epochs", "--rate"),
        *values(PRM, "--target", ["", "medium"]),
        *values(PRM, "--epochs", v.FEW),
        *values(PRM, "--batch", v.FEW),
        *values(PRM, "--rate", v.RATE),
        *values(PRM, "--seed", v.FEW[1:]),
        *values(PRM, "--init", ["", "zeros"]),
        *values(PRM, "--test", [*v.INPUT, "{file}"]),
        *values(["train", "prm", "--out={out}"], "--data", [*v.INPUT, "{file}"]),
        *values(PRM, "--out", v.FOLDER[::2]),
        *values([*PRM, "--out={out}"], "--model", v.MODEL[::2]),
    ],
    "train orm": [
        (["train", "orm"], "required: --data"),
        ([*ORM, "--target", "hard"], "unrecognized"),
        *values(["train", "orm", "--out={out}"], "--data", [*v.INPUT, "{file}"]),
        *values(ORM, "--out", v.FOLDER[:5]),
        *values([*ORM, "--out={out}"], "--model", v.MODEL[1::3]),
    ],
    "train value-head": [
        (["train", "value-head"], "required: --data"),
        ([*HEAD, "--epochs", "3"], "unrecognized"),
        *values(["train", "value-head", "--out={out}"], "--data", [*v.INPUT, "{file}"]),
        *values(HEAD, "--out", v.FOLDER[:5]),
        *values([*HEAD, "--out={out}"], "--model", v.MODEL[2::3]),
    ],
}
