"""Wrong command lines, by command: what is typed, and a part of what is to be answered.

A word such as {run} stands for something that `places` has put there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

Line = tuple[list[str], str]

SCRIPTED = ["--model", "scripted"]
SOLVE = ["solve", "1+2", *SCRIPTED]
BENCH = ["bench", *SCRIPTED, "--out", "{out}"]
FIT = ["fit-auto", *SCRIPTED, "--out", "{out}"]
JUDGE = ["eval-verifier", *SCRIPTED, "--out", "{out}"]
IMPORT = ["import-pool", "{pool}", "--out", "{out}", "--task", "countdown"]
RERANK = ["rerank", "{run}", "--out", "{out}", *SCRIPTED, "--verifier", "arithmetic"]
LABELS = ["train", "labels", *SCRIPTED, "--out", "{out}.jsonl", "--task", "countdown"]
GPT = ["train", "gpt", "--out", "{out}"]
PRM = ["train", "prm", "--data", "{labels}", "--out", "{out}"]
ORM = ["train", "orm", "--data", "{labels}", "--out", "{out}"]
HEAD = ["train", "value-head", "--data", "{labels}", "--out", "{out}"]

HUGE = "1" + 400 * "0"
LONG = 1_000_000 * "x"
DEEP = 5_000 * "("
SURROGATE = "a\udcffb"
ROW = {
    "id": "a", "task": "t", "prompt": "p", "completions": ["s"], "separator": "\n",
    "labels": [True], "values": [None], "correct": True, "method": "omega", "k": 1, "tokens": 1,
}  # fmt: skip
POOL = {"id": "a", "question": "cd:1,2=3", "answer": "3", "completions": ["1+2=3:3?+0"]}


def places(root: Path) -> dict[str, str]:
    """Puts files, folders and things that are neither below `root`; tells where, by name."""
    (root / "file").write_text("text")
    (root / "empty").mkdir()
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("{broken")
    (root / "unknown").mkdir()
    (root / "unknown" / "config.json").write_text('{"model_type": "no-such-model"}')
    os.mkfifo(root / "fifo")
    rows = [json.dumps(ROW | {"id": name, "prompt": name}) for name in "ab"]
    (root / "labels.jsonl").write_text("\n".join(rows) + "\n")
    (root / "pool.jsonl").write_text(json.dumps(POOL) + "\n")
    named = {name: str(root / name) for name in ("file", "empty", "broken", "unknown", "fifo")}
    return {
        **named,
        "labels": str(root / "labels.jsonl"),
        "pool": str(root / "pool.jsonl"),
        "run": str(root / "run"),
        "out": str(root / "out"),
    }


def typed(argv: list[str], where: Mapping[str, str]) -> list[str]:
    """The words of a line, with the places filled in."""
    return [_filled(word, where) for word in argv]


def _filled(word: str, where: Mapping[str, str]) -> str:
    for name, place in where.items():
        word = word.replace(f"{{{name}}}", place)
    return word


def lines() -> Iterator[tuple[str, Line]]:
    """Every line with a name that tells it apart."""
    for command, wrong in WRONG.items():
        for i, line in enumerate(wrong):
            last = " ".join(line[0])[-24:].encode("ascii", "replace").decode().replace("\0", "NUL")
            yield f"{command}-{i}-{last}", line


NAMES: list[Line] = [
    ([], "required: COMMAND"),
    (["benhc"], "did you mean bench"),
    (["sol", "1+2"], "invalid choice"),
    ([""], "invalid choice"),
    (["--nothing"], "required: COMMAND"),
    (["--version=3"], ""),
    ([LONG], "invalid choice"),
    ([SURROGATE], "UTF-8"),
    (["so\0lve"], "UTF-8"),
    (["list", "strategy"], "did you mean strategies"),
    (["list", "strategies", "verifiers"], "unrecognized arguments"),
    (["list", "--js"], "unrecognized arguments"),
    (["list", "--json=yes"], "ignored explicit argument"),
    (["list", ""], "invalid choice"),
]

STRATEGY = [
    ("beem", "did you mean beam"),
    ("", "it is empty"),
    (" ", "it is empty"),
    ("(", "no strategy"),
    ("beam(", "is not a name with settings"),
    ("beam)", ""),
    ("beam(n=2", "is not a name with settings"),
    ("beam(n=2))", "is not a name with settings"),
    ("beam()(n=2)", "is not a name with settings"),
    ("beam(2)", "is not a name with settings"),
    ("beam(*n)", "is not a name with settings"),
    ("beam(n=x)", "is not a name with settings"),
    ("beam(n=1)#", "is not a name with settings"),
    ("beam(n=1) or 2", "is not a name with settings"),
    ("beam(n=2,n=3)", "is not a name with settings"),
    ("beam(n=10**1000000)", "is not a name with settings"),
    (f"beam(n={HUGE})", "is not a name with settings"),
    ("beam(n=" + 5000 * "9" + ")", ""),
    ("beam(n=9223372036854775808)", "is not a name with settings"),
    ("beam(n=1000000000000)", "n"),
    ("best-of-n(n=1000000000000)", "n"),
    ("beam(branch=1e400)", "is not a name with settings"),
    ("beam(branch=1000000000)", "branch"),
    ("beam(n=True)", "n=True"),
    ("beam(n='4')", "n='4'"),
    ("beam(n=4.0)", "n=4.0"),
    ("beam(n=None)", "n=None"),
    ("beam(n=[])", "n=[]"),
    ("beam(n=-1)", "n=-1"),
    ("beam(n=1j)", "is not a name with settings"),
    ("beam(n=b'1')", ""),
    ("beam(n={1: {2: 3}})", "n="),
    ("beam(widht=2)", "has no setting 'widht'"),
    ("beam(brunch=2)", "did you mean branch"),
    ("beam(self=2)", "has no setting"),
    ("beam(branch='a\0b')", ""),
    (f"beam({DEEP}", "is not a name with settings"),
    (f"beam(n={DEEP}1{DEEP.replace('(', ')')})", "is not a name with settings"),
    ("beam(n=" + 5000 * "[" + ")", "is not a name with settings"),
    ("beam(n=" + 3000 * "-" + "1)", "is not a name with settings"),
    ("beam(n='" + LONG + "')", "is not a name with settings"),
    (LONG, "no strategy"),
    (SURROGATE, "UTF-8"),
    (f"beam(choose='{SURROGATE}')", "UTF-8"),
    (f"beam({SURROGATE}=1)", ""),
    ("be\0am", "UTF-8"),
    ("beam(n=1\0)", "UTF-8"),
    ("mcts(choose='luck')", "choose='luck'"),
    ("fallback(first='beem')", ""),
    ("auto(table='{fifo}')", ""),
    ("auto(table='{empty}')", ""),
    ("auto(table='/dev/zero')", ""),
    ("../etc/passwd", "no strategy"),
]

VERIFIER = [
    ("verdikt", "did you mean verdict"),
    ("", "it is empty"),
    ("oracle", "reasoner bench"),
    ("judge(n=[])", "has no setting 'n'"),
    ("judge(votes=[])", "votes=[]"),
    ("judge(votes=0)", "votes=0"),
    ("judge(grades=(3,1))", "grades"),
    ("judge(asks='maybe')", "asks='maybe'"),
    ("judge(promt='x')", "did you mean prompt"),
    ("judge(prompt='x')", "prompt"),
    ("regex(pattern='(')", "is no regular expression"),
    ("regex(pattern=3)", "pattern=3"),
    ("regex(seconds=1e400)", "is not a name with settings"),
    ("regex(seconds=-1)", "seconds=-1"),
    ("orm", "could not be built"),
    ("orm(model=3)", ""),
    ("orm(model='./no')", "./no"),
    ("token-classifier(model='')", ""),
    ("schema(schema='{')", ""),
    ("ensemble(of=())", ""),
    ("calibrated(verifier='verdict', calibration='{empty}')", ""),
    ("calibrated(verifier='verdict', calibration='{fifo}')", ""),
    (f"judge({DEEP}", "is not a name with settings"),
    (LONG, "no verifier"),
    (SURROGATE, "UTF-8"),
]

BACKEND = [
    ("vlm", "did you mean vllm"),
    ("", "it is empty"),
    ("openai(", "is not a name with settings"),
    ("openai(retries=-1)", "retries=-1"),
    ("openai(retries=1000000)", "retries=1000000"),
    ("openai(retries='many')", "retries='many'"),
    ("openai(timeout='abc')", "timeout='abc'"),
    ("openai(timeout=-1)", "timeout=-1"),
    ("openai(timeout=0)", "timeout=0"),
    ("openai(timeout=1e400)", "is not a name with settings"),
    ("openai(timeout=None)", "timeout=None"),
    ("openai(backoff=-1)", "backoff=-1"),
    ("openai(chat=3)", "chat=3"),
    ("openai(context=-5)", "context=-5"),
    ("openai(shots='x')", "shots='x'"),
    ("openai(shots=(('a',),))", "shots"),
    ("openai(api_key=3)", "api_key"),
    ("openai(api_key='a\\nb')", "api_key"),
    ("openai(modle='x')", "did you mean model"),
    ("openai(base_url=8000)", "base_url=8000"),
    ("openai(verdicts='{fifo}')", ""),
    ("openai(transport=3)", "transport=3"),
    ("scripted(delay='x')", "delay='x'"),
    ("scripted(delay=-1)", "delay=-1"),
    ("scripted(delay=1e400)", "is not a name with settings"),
    ("scripted(fail_every=-1)", "fail_every=-1"),
    ("scripted(parameters=-1)", "parameters=-1"),
    ("scripted(context=True)", "context=True"),
    ("scripted(reply='x')", "reply='x'"),
    ("scripted(gpus=3)", "has no setting 'gpus'"),
    ("vllm(max_model_len='x')", "max_model_len='x'"),
    ("vllm(max_model_len=0)", "max_model_len=0"),
    ("vllm(max_model_len=-1)", "max_model_len=-1"),
    ("vllm(tempreture=0.5)", "tempreture"),
    ("vllm(tensor_parallel_sise=2)", "did you mean tensor_parallel_size"),
    ("vllm(enforce_eager='no')", "enforce_eager='no'"),
    ("vllm(kv_cache_gib=0)", "kv_cache_gib=0"),
    ("vllm(kv_cache_gib='much')", "kv_cache_gib='much'"),
    ("vllm(chat='yes')", "chat='yes'"),
    ("vllm(system=3)", "system=3"),
    (LONG, "no backend"),
    (SURROGATE, "UTF-8"),
]

TASK = [
    ("countdwn", "did you mean countdown"),
    ("", "it is empty"),
    ("countdown(tier='hardest')", "has no tier 'hardest'"),
    ("countdown(tier=3)", "tier=3"),
    ("countdown(teir='hard')", "did you mean tier"),
    ("dagmath(tier=[])", "tier=[]"),
    ("gsm8k(max_tokens=0)", "max_tokens=0"),
    ("gsm8k(max_tokens=1000000000000)", "max_tokens"),
    ("gsm8k(shots=-1)", "shots=-1"),
    ("jsonl(grader='magic')", "grader='magic'"),
    ("humaneval(sandbox='magic')", "sandbox='magic'"),
    ("humaneval(seconds=1e400)", "is not a name with settings"),
    (f"countdown({DEEP}", "is not a name with settings"),
    (LONG, "no task"),
    (SURROGATE, "UTF-8"),
]

URL = [
    "http://", "https://", "http://:99999/", "http://:8000/v1", "http://127.0.0.1:99999/v1",
    "http://127.0.0.1:-1/", "http://127.0.0.1:port/", "ftp://127.0.0.1/v1", "http://[::1",
    "http://[::1]x/", "http://a b/", " http://127.0.0.1/", "127.0.0.1:8000", "http://a\0b/", "http://a\nb/",
    "file:///etc/passwd", "http://" + LONG, f"http://{SURROGATE}/v1", "http:///v1", "http://?x",
    "javascript:alert(1)", "http://127.0.0.1/v1?key=1", "http://127.0.0.1:1/v1", "http://127.0.0.1/v1#part",
    "http://..../v1", "http://" + 300 * "a" + "/v1", "http://xn--/v1", "http://user:secret@/v1",
]  # fmt: skip

COUNT = [
    "0", "-1", "", " ", "1.5", "1e3", "0x10", "nan", "inf", "many", "²", "٣", HUGE, 5000 * "9", "1_000",
    "+1", "1000000000000", LONG, SURROGATE, "1\0", "--", "3;", "4,",
]  # fmt: skip
SEED = [
    "-1",
    "1.5",
    "x",
    "",
    HUGE,
    5000 * "9",
    "9223372036854775808",
    "1_0",
    " 1",
    "nan",
    LONG,
    SURROGATE,
]
SIZES = [*COUNT, ",", "1,,2", "1,-2", ",1", "1;2"]
BUDGET = [
    "", ",", "tokens", "tokens=", "tokens=0", "tokens=-1", "tokens=nan", "tokens=inf", "tokens=1e309",
    f"tokens={HUGE}", "tokens=0.5", "tokens=many", "tokens=1,tokens=2", "tokens=1,", "=3", "unknown=3",
    "tokns=3", "tokens=1=2", "seconds=-1", "seconds=nan", "flops=inf", "requests=1.5", "tokens=1e3x",
    f"{SURROGATE}=1", f"tokens={LONG}", f"{LONG}=1", "tokens=1_000", "seconds=0",
]  # fmt: skip
PRICE = [
    "", "prompt", "prompt=", "prompt=-1", "prompt=nan", "prompt=inf", "promt=1", "prompt=1,", "prompt=1e309",
    "prompt=1,prompt=2", "prompt=1;generated=2", f"prompt={HUGE}", LONG, SURROGATE,
]  # fmt: skip
SHARE = ["-0.1", "1.1", "nan", "inf", "x", "", HUGE, "1e309", SURROGATE, LONG]
RATE = ["0", "1", "-1", "nan", "inf", "x", "", HUGE, SURROGATE]
OUT = [
    "", "{file}", "{file}/under", "{fifo}", "/dev/null", "/dev/null/x", "/proc/x", "/proc/self/mem",
    "a\0b", 300 * "n", "{empty}/" + 300 * "n" + "/x", LONG,
]  # fmt: skip
MODEL = [
    ("", ""),
    ("./nowhere", "./nowhere"),
    ("/nowhere", "/nowhere"),
    ("~/nowhere", "~/nowhere"),
    ("nowhere", "nowhere"),
    ("a/b/c", "a/b/c"),
    ("{file}", "file"),
    ("{empty}", "config.json"),
    ("{broken}", ""),
    ("{unknown}", ""),
    ("{fifo}", ""),
    ("/dev/zero", "/dev/zero"),
    ("/proc/self/mem", "/proc/self/mem"),
    ("a\0b", ""),
    (10_000 * "n", ""),
    ("../" * 2000, ""),
    (SURROGATE, ""),
    ("a b/c", ""),
    ("no/such" + 100 * "x", "Hugging Face name"),
]
DATA = [
    "{fifo}",
    "{empty}",
    "/dev/zero",
    "/proc/self/mem",
    "nowhere.jsonl",
    "",
    "a\0b",
    10_000 * "n",
    "{file}",
    SURROGATE,
]


def options(start: list[str], *named: str) -> list[Line]:
    """Options that miss their value, do not exist, or are cut short."""
    short = [(["--" + o[2:-1], "1"], "") for o in named if len(o) > 5]
    return [
        *(([*start, o], f"argument {o}: expected") for o in named),
        *(([*start, *o], hint) for o, hint in short),
        ([*start, "--nothing"], "unrecognized arguments"),
        ([*start, "--nothing=3"], "unrecognized arguments"),
        ([*start, "-z"], "unrecognized arguments"),
        ([*start, "--json=3"], "ignored explicit argument"),
    ]


def values(start: list[str], option: str, wrong: list[str]) -> list[Line]:
    """Values that the option cannot have."""
    return [([*start, f"{option}={value}"], "") for value in wrong]


def hinted(start: list[str], option: str, wrong: list[tuple[str, str]]) -> list[Line]:
    """Values that the option cannot have, each with a part of the answer."""
    return [([*start, f"{option}={value}"], hint) for value, hint in wrong]


RUN_DIR = [
    "nowhere",
    "",
    "{file}",
    "{empty}",
    "{fifo}",
    "/dev/zero",
    "/proc/self/mem",
    "a\0b",
    300 * "n",
    LONG,
    SURROGATE,
]


def folders(*start: str, after: tuple[str, ...] = ()) -> list[Line]:
    return [([*start, place, *after], "") for place in RUN_DIR]


WRONG: dict[str, list[Line]] = {
    "names": NAMES,
    "solve": [
        (["solve"], "required: problem"),
        (["solve", "", *SCRIPTED], "empty"),
        (["solve", SURROGATE, *SCRIPTED], ""),
        (["solve", "1+2", "3", *SCRIPTED], "unrecognized arguments: 3"),
        *options(SOLVE, "--strategy", "--verifier", "--task", "--n", "--budget", "--model", "--backend", "--base-url", "--seed"),
        *hinted(SOLVE, "--strategy", STRATEGY),
        *hinted(SOLVE, "--verifier", VERIFIER),
        *hinted(["solve", "1+2"], "--backend", BACKEND),
        *hinted(SOLVE, "--task", TASK),
        *hinted(["solve", "1+2"], "--model", MODEL),
        *values(SOLVE, "--n", COUNT),
        *values(SOLVE, "--seed", SEED),
        *values(SOLVE, "--budget", BUDGET),
        *values(["solve", "1+2", "--model", "m"], "--base-url", URL),
    ],
    "bench": [
        *options(BENCH, "--spec", "--strategy", "--n", "--search-n", "--search-problems", "--budget", "--task", "--data", "--problems", "--out", "--concurrency"),
        *values(BENCH, "--n", SIZES),
        *values(BENCH, "--search-n", [*SIZES, "mtcs=2", "mcts=", "=", "mcts=0", "beam=4,beam=8"]),
        *values(BENCH, "--search-problems", COUNT),
        *values(BENCH, "--problems", COUNT),
        *values(BENCH, "--concurrency", COUNT),
        *values(BENCH, "--seed", SEED),
        *values(BENCH, "--budget", BUDGET),
        *hinted(BENCH, "--strategy", STRATEGY),
        *hinted(BENCH, "--verifier", [v for v in VERIFIER if v[0] != "oracle"]),
        *hinted(["bench", "--out", "{out}"], "--backend", BACKEND),
        *hinted(BENCH, "--task", TASK),
        *hinted(["bench", "--out", "{out}"], "--model", MODEL),
        *values(BENCH[:3], "--out", OUT),
        *values([*BENCH, "--task", "jsonl"], "--data", DATA),
        *values(["bench", "--model", "m", "--out", "{out}"], "--base-url", URL),
        *values(BENCH, "--spec", ["nowhere", "", "{empty}", "{fifo}", "{file}", "/dev/zero", "a\0b", LONG]),
        ([*BENCH, "--task", "jsonl"], "with --data"),
        ([*BENCH, "--data", "x.jsonl"], "is for one task"),
        ([*BENCH, "--task", ","], "names nothing"),
        ([*BENCH, "--strategy", ","], "names nothing"),
    ],
    "compare": [
        (["compare"], "required: DIR"),
        *folders("compare"),
        *folders("compare", "{run}"),
        *values(["compare", "{run}"], "--n", [*SIZES, "77"]),
        *values(["compare", "{run}"], "--out", OUT),
        *options(["compare", "{run}"], "--n", "--out"),
    ],
    "eval-verifier": [
        *options(JUDGE, "--n", "--dev-problems", "--steps", "--problems"),
        *values(JUDGE, "--n", COUNT),
        *values(JUDGE, "--dev-problems", COUNT),
        *values(JUDGE, "--steps", ["", "some", "prefix"]),
        *values(JUDGE[:3], "--out", OUT),
        *hinted(JUDGE, "--verifier", VERIFIER),
        *hinted(JUDGE, "--task", TASK),
    ],
    "fit-auto": [
        *options(FIT, "--arms", "--probe", "--bins", "--tolerance"),
        *values(FIT, "--arms", ["", ",", "beam", "beam:", ":8", "beem:8", "beam:0", "beam:-1", "beam:x", "beam:" + HUGE, "auto:4", "beam(n=x):4", "majority:4", LONG, SURROGATE, "beam:1000000000000"]),
        *values(FIT, "--probe", COUNT),
        *values(FIT, "--bins", COUNT),
        *values(FIT, "--tolerance", SHARE),
        *values(FIT[:3], "--out", [*OUT, "auto.json"]),
        *hinted(FIT, "--verifier", VERIFIER),
    ],
    "plot": [
        (["plot"], "required: DIR"),
        *folders("plot"),
        *values(["plot", "{run}"], "--against", ["", ",", "tokns", "price", LONG, SURROGATE]),
        *values(["plot", "{run}"], "--price", PRICE),
        *values(["plot", "{run}"], "--format", ["", ",", "bmp", "png,", "PNG", LONG, SURROGATE]),
        *options(["plot", "{run}"], "--against", "--price", "--format"),
    ],
    "import-pool": [
        (["import-pool"], "required: FILE"),
        (["import-pool", "{pool}"], "required: --task"),
        *folders("import-pool", after=("--task", "countdown")),
        *hinted(IMPORT[:-1][:4], "--task", TASK),
        *values(["import-pool", "{pool}", "--task", "countdown"], "--out", OUT),
        *values(IMPORT, "--aggregate", ["", "max"]),
        *values(IMPORT, "--question-field", ["", "nothing", LONG, SURROGATE]),
        *options(IMPORT, "--task", "--out", "--aggregate", "--id-field"),
    ],
    "export-pool": [
        (["export-pool"], "required: DIR"),
        (["export-pool", "{run}"], "required: --out"),
        *folders("export-pool", after=("--out", "{out}")),
        *values(["export-pool", "{run}", "--out", "{out}"], "--task", ["dagmath", "x", LONG, SURROGATE]),
        *values(["export-pool", "{run}"], "--out", ["", "{empty}", "{file}/under", "/dev/null/x", "a\0b", 300 * "n", "/proc/x", LONG]),
        *options(["export-pool", "{run}", "--out", "{out}"], "--task"),
    ],
    "rerank": [
        (["rerank"], "required: DIR"),
        (["rerank", "{run}"], "required: --verifier"),
        *folders("rerank", after=("--verifier", "arithmetic")),
        *hinted([*RERANK[:-2]], "--verifier", VERIFIER),
        *values(["rerank", "{run}", *SCRIPTED, "--verifier", "arithmetic"], "--out", OUT),
        *values(RERANK, "--concurrency", COUNT),
        *hinted([*RERANK[:4], "--verifier", "arithmetic"], "--backend", BACKEND),
        *options(RERANK, "--verifier", "--out", "--concurrency"),
    ],
    "inspect": [
        (["inspect"], "required: DIR, PROBLEM"),
        (["inspect", "{run}"], "required: PROBLEM"),
        *folders("inspect", after=("0",)),
        *(([*["inspect", "{run}"], problem], "") for problem in ("99", "--99", "", "x", HUGE, 5000 * "9", LONG, SURROGATE, "a\0b", "1.5", "-1")),
        *values(["inspect", "{run}", "0"], "--strategy", ["beem", "dvts", "x", LONG, SURROGATE, "greedy("]),
        *values(["inspect", "{run}", "0"], "--task", ["dagmath", "x", LONG, SURROGATE]),
        *values(["inspect", "{run}", "0", "--strategy", "best-of-n"], "--n", [*COUNT, "77"]),
        *options(["inspect", "{run}", "0"], "--task", "--strategy", "--n"),
    ],
    "report": [
        (["report"], "required: DIR"),
        *folders("report"),
        *values(["report", "{run}"], "--out", ["", "{empty}", "{file}/under", "/dev/null/x", "a\0b", 300 * "n", "/proc/x", LONG]),
        *values(["report", "{run}"], "--problems", COUNT),
        *options(["report", "{run}"], "--out", "--problems"),
    ],
    "scaling": [
        (["scaling"], "required: DIR"),
        *folders("scaling"),
        *values(["scaling", "{run}"], "--n", [*SIZES, "77"]),
        *values(["scaling", "{run}"], "--accuracy", SHARE),
        *values(["scaling", "{run}"], "--out", OUT),
        *options(["scaling", "{run}"], "--n", "--accuracy", "--out"),
    ],
    "train": [
        (["train"], "required: KIND"),
        (["train", "rpm"], "did you mean prm"),
        (["train", ""], "invalid choice"),
        (["train", LONG], "invalid choice"),
        (["train", "--out", "runs/train"], "reasoner train --help"),
    ],
    "train gpt": [
        *options(GPT, "--stage", "--steps", "--problems", "--model", "--seed"),
        *values(GPT, "--stage", ["", "polici", "all"]),
        *values(GPT, "--steps", COUNT),
        *values(GPT, "--verdict-steps", COUNT),
        *values(GPT, "--verdict-layers", COUNT),
        *values(GPT, "--rollouts", COUNT),
        *values(GPT, "--times", COUNT),
        *values(GPT, "--test-problems", COUNT),
        *values(GPT, "--seed", SEED),
        *values(GPT[:2], "--out", OUT),
        *(([*GPT, "--problems", n, "5"], "") for n in COUNT if n != "--"),
        ([*GPT, "--problems", "5"], "expected 2 arguments"),
        ([*GPT, "--problems", "5", "6", "7"], "unrecognized arguments"),
        *(([*GPT, "--stage", "evaluate", f"--model={m}"], "") for m, _ in MODEL),
        *(([*GPT, "--stage", "policy", f"--model={m}"], "") for m, _ in MODEL if m),
        ([*GPT, "--stage", "rollouts"], "run the earlier stages"),
        ([*GPT, "--stage", "verdict"], "run the earlier stages"),
        ([*GPT, "--stage", "evaluate"], "run the earlier stages"),
        ([*GPT, "--model", "x"], "name it with --stage"),
        ([*GPT, "--fresh=3"], "ignored explicit argument"),
    ],
    "train labels": [
        (["train", "labels"], "required: --task"),
        *options(LABELS, "--task", "--split", "--problems", "--solutions", "--method", "--k"),
        *hinted([*LABELS[:-2]], "--task", TASK),
        *values(LABELS, "--problems", COUNT),
        *values(LABELS, "--solutions", COUNT),
        *values(LABELS, "--k", COUNT),
        *values(LABELS, "--seed", SEED),
        *values(LABELS, "--method", ["", "shepherd"]),
        *values(LABELS, "--split", ["", "training", LONG, SURROGATE]),
        *values(["train", "labels", *SCRIPTED, "--task", "countdown"], "--out", ["", "labels.json", "{empty}", "{file}/x.jsonl", "/dev/null/x.jsonl", "a\0b.jsonl", 300 * "n" + ".jsonl", "/proc/x.jsonl", LONG + ".jsonl"]),
        ([*LABELS[:-1], "gsm8k", "--method", "exact"], "labels no steps"),
        ([*LABELS[:-1], "countdown,dagmath"], ""),
        *hinted(["train", "labels", "--task", "countdown", "--out", "{out}.jsonl"], "--model", MODEL),
        *hinted(["train", "labels", "--task", "countdown", "--out", "{out}.jsonl"], "--backend", BACKEND),
    ],
    "train prm": [
        (["train", "prm"], "required: --data"),
        *options(PRM, "--target", "--data", "--epochs", "--rate"),
        *values(PRM, "--target", ["", "medium"]),
        *values(PRM, "--epochs", COUNT),
        *values(PRM, "--batch", COUNT),
        *values(PRM, "--rate", RATE),
        *values(PRM, "--seed", SEED),
        *values(PRM, "--init", ["", "zeros"]),
        *values(PRM, "--test", DATA),
        *values(["train", "prm", "--out", "{out}"], "--data", DATA),
        *values(PRM[:4], "--out", OUT),
        *hinted(PRM, "--model", MODEL),
    ],
    "train orm": [
        (["train", "orm"], "required: --data"),
        ([*ORM, "--target", "hard"], "unrecognized"),
        *values(["train", "orm", "--out", "{out}"], "--data", DATA),
        *values(ORM[:4], "--out", OUT),
        *hinted(ORM, "--model", MODEL),
    ],
    "train value-head": [
        (["train", "value-head"], "required: --data"),
        ([*HEAD, "--epochs", "3"], "unrecognized"),
        *values(["train", "value-head", "--out", "{out}"], "--data", DATA),
        *values(HEAD[:4], "--out", OUT),
        *hinted(HEAD, "--model", MODEL),
    ],
}  # fmt: skip
