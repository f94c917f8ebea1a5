"""Values that options cannot have; where it matters, with a part of what is to be answered."""

from __future__ import annotations

Hinted = list[tuple[str, str]]

HUGE = "1" + 400 * "0"
DIGITS = 5000 * "9"
LONG = 1_000_000 * "x"
DEEP = 5_000 * "("
SURROGATE = "a\udcffb"
UNREADABLE = "is no text in UTF-8"
NO_SETTINGS = "is not a name with settings"

TOOLS: Hinted = [
    ("", "it is empty"),
    ("pyhton", "did you mean python"),
    ("python(", NO_SETTINGS),
    ("python(call=3)", "did you mean calls"),
    ("python(calls=0)", "calls=0"),
    ("python(opening='')", "opening=''"),
    ("python(sandbox='docker')", "sandbox='docker'"),
    (LONG, "no tool"),
]

STRATEGY: Hinted = [
    ("beem", "did you mean beam"),
    ("", "it is empty"),
    (" ", "it is empty"),
    ("(", NO_SETTINGS),
    ("beam(", NO_SETTINGS),
    ("beam)", "did you mean beam"),
    ("beam(n=2", NO_SETTINGS),
    ("beam(n=2))", NO_SETTINGS),
    ("beam()(n=2)", NO_SETTINGS),
    ("beam(2)", NO_SETTINGS),
    ("beam(*n)", NO_SETTINGS),
    ("beam(**{'n': 2})", NO_SETTINGS),
    ("beam(n=x)", NO_SETTINGS),
    ("beam(n=1)#", NO_SETTINGS),
    ("beam(n=1) or 2", NO_SETTINGS),
    ("beam(n=2,n=3)", NO_SETTINGS),
    ("beam(n=10**1000000)", NO_SETTINGS),
    (f"beam(n={HUGE})", NO_SETTINGS),
    (f"beam(n={DIGITS})", NO_SETTINGS),
    ("beam(n=9223372036854775808)", NO_SETTINGS),
    ("beam(branch=1e400)", NO_SETTINGS),
    ("beam(n=1j)", NO_SETTINGS),
    ("beam(n=b'1')", NO_SETTINGS),
    (f"beam({DEEP}", NO_SETTINGS),
    (f"beam(n={DEEP}1{DEEP.replace('(', ')')})", NO_SETTINGS),
    ("beam(n=" + 5000 * "[" + ")", NO_SETTINGS),
    ("beam(n=" + 3000 * "-" + "1)", NO_SETTINGS),
    ("beam(n=" + 3000 * "1+" + "1)", NO_SETTINGS),
    (f"beam(n='{LONG}')", NO_SETTINGS),
    ("beam(n=1000000000000)", "n=1000000000000 is more than 1000000"),
    ("best-of-n(n=1000001)", "n=1000001 is more than 1000000"),
    ("beam(branch=1000000000)", "branch=1000000000 is more than"),
    ("beam(n=True)", "n=True: Input should be a valid integer"),
    ("beam(n='4')", "n='4': Input should be a valid integer"),
    ("beam(n=4.0)", "n=4.0"),
    ("beam(n=None)", "n=None"),
    ("beam(n=[])", "n=[]"),
    ("beam(n=-1)", "n=-1"),
    ("beam(n={1: {2: 3}})", "n={1: {2: 3}}"),
    ("beam(brunch=2)", "did you mean branch"),
    ("beam(self=2)", "has no setting 'self'"),
    ("beam(n=1\0)", UNREADABLE),
    (f"beam({SURROGATE}=1)", UNREADABLE),
    (LONG, "no strategy"),
    ("mcts(choose='luck')", "choose='luck'"),
    ("auto(table='{fifo}')", "it is a pipe, not a file"),
    ("auto(table='{empty}')", "it is a folder, not a file"),
    ("auto(table='/dev/zero')", "it is a device, not a file"),
    ("../etc/passwd", "no strategy"),
]

VERIFIER: Hinted = [
    ("verdikt", "did you mean verdict"),
    ("", "it is empty"),
    ("judge(n=[])", "has no setting 'n'"),
    ("judge(votes=[])", "votes=[]"),
    ("judge(votes=0)", "votes=0"),
    ("judge(grades=(3,1))", "grades"),
    ("judge(asks='maybe')", "asks='maybe'"),
    ("judge(promt='x')", "did you mean prompt"),
    ("judge(prompt='x')", "prompt"),
    ("regex(pattern='(')", "is no regular expression"),
    ("regex(pattern=3)", "pattern=3"),
    ("regex(seconds=-1)", "seconds=-1"),
    ("orm", "Field required"),
    ("orm(model=3)", "model=3"),
    ("orm(model='./no')", "./no"),
    ("token-classifier(model='')", "reward model"),
    ("schema(schema='{')", "schema"),
    ("ensemble(of=())", "has no setting 'of'"),
    ("calibrated(verifier='verdict', calibration='{fifo}')", "it is a pipe, not a file"),
    ("calibrated(verifier='verdict', calibration='nowhere')", "cannot read nowhere"),
    (f"judge({DEEP}", NO_SETTINGS),
]

BACKEND: Hinted = [
    ("vlm", "did you mean vllm"),
    ("", "it is empty"),
    ("openai(", NO_SETTINGS),
    ("openai(retries=-1)", "retries=-1"),
    ("openai(retries=1000000)", "retries=1000000"),
    ("openai(retries='many')", "retries='many'"),
    ("openai(timeout='abc')", "timeout='abc'"),
    ("openai(timeout=-1)", "timeout=-1"),
    ("openai(timeout=0)", "timeout=0"),
    ("openai(timeout=None)", "timeout=None"),
    ("openai(backoff=-1)", "backoff=-1"),
    ("openai(chat=3)", "chat=3"),
    ("openai(context=-5)", "context=-5"),
    ("openai(shots='x')", "shots='x'"),
    ("openai(shots=(('a',),))", "shots"),
    ("openai(api_key='a\\nb')", "api_key"),
    ("openai(modle='x')", "did you mean model"),
    ("openai(base_url=8000)", "base_url=8000"),
    ("openai(transport=3)", "transport=3"),
    ("scripted(delay='x')", "delay='x'"),
    ("scripted(delay=-1)", "delay=-1"),
    ("scripted(delay=1e400)", NO_SETTINGS),
    ("scripted(fail_every=-1)", "fail_every=-1"),
    ("scripted(parameters=-1)", "parameters=-1"),
    ("scripted(context=True)", "context=True"),
    ("scripted(reply='x')", "reply='x'"),
    ("scripted(gpus=3)", "has no setting 'gpus'"),
    ("vllm(max_model_len='x')", "max_model_len='x'"),
    ("vllm(max_model_len=0)", "max_model_len=0"),
    ("vllm(kv_cache_gib=0)", "kv_cache_gib=0"),
    ("vllm(kv_cache_gib='much')", "kv_cache_gib='much'"),
    ("vllm(chat='yes')", "chat='yes'"),
    ("vllm(system=3)", "system=3"),
    (LONG, "no backend"),
]

ENGINE: Hinted = [
    ("vllm(tempreture=0.5)", "did you mean temperature"),
    ("vllm(tensor_parallel_sise=2)", "did you mean tensor_parallel_size"),
    ("vllm(enforce_eager='no')", "enforce_eager='no'"),
    ("vllm(tensor_parallel_size=2.5)", "tensor_parallel_size=2.5"),
    ("vllm(gpu_memory_utilization='all')", "gpu_memory_utilization='all'"),
]
"""Values that only an installation with vLLM knows to be wrong."""

TASK: Hinted = [
    ("countdwn", "did you mean countdown"),
    ("countdown(tier='hardest')", "has no tier 'hardest'"),
    ("countdown(tier=3)", "tier=3"),
    ("countdown(teir='hard')", "did you mean tier"),
    ("dagmath(tier=[])", "tier=[]"),
    ("gsm8k(max_tokens=0)", "max_tokens=0"),
    ("gsm8k(max_tokens=1000000000000)", "is more than"),
    ("gsm8k(shots=-1)", "shots=-1"),
    ("jsonl(grader='magic')", "grader='magic'"),
    ("humaneval(sandbox='magic')", "sandbox='magic'"),
    (f"countdown({DEEP}", NO_SETTINGS),
    (LONG, "no task"),
]

URL: Hinted = [
    ("http://", "names no host"),
    ("http:///v1", "names no host"),
    ("http://:8000/v1", "names no host"),
    ("http://?x", "names no host"),
    ("http://..../v1", "names no host"),
    ("http://user:secret@/v1", "names no host"),
    ("http://:99999/", "base_url"),
    ("http://127.0.0.1:99999/v1", "has no port from 1 to 65535"),
    ("http://127.0.0.1:0/v1", "has no port from 1 to 65535"),
    ("http://127.0.0.1:-1/", "has no port from 1 to 65535"),
    ("http://127.0.0.1:port/", "is not a valid address"),
    ("http://[::1", "is not a valid address"),
    ("http://[::1]x/", "is not a valid address"),
    ("http://xn--/v1", "is not a valid address"),
    ("http://" + LONG, "is not a valid address"),
    ("ftp://127.0.0.1/v1", "is not an http:// or https:// address"),
    ("127.0.0.1:8000", "is not an http:// or https:// address"),
    ("file:///etc/passwd", "is not an http:// or https:// address"),
    (" http://127.0.0.1/", "is not an http:// or https:// address"),
    ("http://a b/", "has a space"),
    ("http://a\nb/", "has a space"),
    ("http://127.0.0.1/v1?key=1", "has more than a path"),
    ("http://127.0.0.1/v1#part", "has more than a path"),
    ("http://127.0.0.1:1/v1", "is the server running there?"),
]

COUNT = [
    "0", "-1", "", " ", "1.5", "1e3", "0x10", "nan", "inf", "many", "²", "٣", HUGE, DIGITS, "1_000",
    "+1", "1000001", LONG, SURROGATE, "1\0", "--", "4,",
]  # fmt: skip
FEW = ["0", "-1", "1.5", "x", "", HUGE]
SEED = ["-1", "1.5", "x", "", HUGE, DIGITS, "9223372036854775808", "1_0", " 1", "nan", LONG, SURROGATE]  # fmt: skip
SIZES = [*COUNT, ",", "1,,2", "1,-2", ",1", "1;2"]
BUDGET = [
    "", ",", "tokens", "tokens=", "tokens=0", "tokens=-1", "tokens=nan", "tokens=inf", "tokens=1e309",
    f"tokens={HUGE}", "tokens=0.5", "tokens=many", "tokens=1,tokens=2", "tokens=1,", "=3", "unknown=3",
    "tokns=3", "tokens=1=2", "seconds=-1", "seconds=nan", "flops=inf", "requests=1.5", "tokens=1e3x",
    f"{SURROGATE}=1", f"tokens={LONG}", f"{LONG}=1", "tokens=1_000", "seconds=0", "tokens=1e19",
]  # fmt: skip
PRICE = [
    "", "prompt", "prompt=", "prompt=-1", "prompt=nan", "prompt=inf", "promt=1", "prompt=1,",
    "prompt=1e309", "prompt=1,prompt=2", "prompt=1;generated=2", f"prompt={HUGE}", LONG, SURROGATE,
]  # fmt: skip
SHARE = ["-0.1", "1.1", "nan", "inf", "x", "", HUGE, "1e309", SURROGATE, LONG]
RATE = ["0", "1", "-1", "nan", "inf", "x", "", HUGE, SURROGATE]
ARMS = [
    "", ",", "beam", "beam:", ":8", "beem:8", "beam:0", "beam:-1", "beam:x", f"beam:{HUGE}",
    "auto:4", "beam(n=x):4", "majority:4", LONG, SURROGATE, "beam:1000000000000",
]  # fmt: skip

FOLDER = [
    "", "{file}", "{file}/under", "{fifo}", "/dev/null", "/dev/null/x", "/proc/self/mem", "a\0b",
    300 * "n", "{empty}/" + 300 * "n" + "/x", LONG, SURROGATE,
]  # fmt: skip
"""No folders that results could be written to."""
OUTPUT = [
    "", "{empty}", "{file}/under", "{fifo}", "/dev/null", "/dev/null/x", "a\0b", 300 * "n", LONG,
]  # fmt: skip
"""No files that could be written."""
INPUT = ["{fifo}", "{empty}", "/dev/zero", "nowhere", "", "a\0b", 10_000 * "n", SURROGATE]
"""No files that could be read."""
RUN = ["nowhere", "", "{file}", "{empty}", "{fifo}", "/dev/zero", "a\0b", 300 * "n", LONG, SURROGATE]  # fmt: skip
"""No folders with results."""
MODEL: Hinted = [
    ("", "it is empty"),
    ("./nowhere", "./nowhere"),
    ("/nowhere", "/nowhere"),
    ("~/nowhere", "~/nowhere"),
    ("~nobody/nowhere", "~nobody/nowhere"),
    ("nowhere", "give a folder or a Hugging Face name"),
    ("a/b/c", "give a folder or a Hugging Face name"),
    ("a b/c", "give a folder or a Hugging Face name"),
    ("no/such" + 100 * "x", "give a folder or a Hugging Face name"),
    ("{file}", "no model folder"),
    ("{empty}", "no config.json"),
    ("{broken}", "is no model's configuration"),
    ("{strange}", "is no model's configuration"),
    ("{special}", "it is a pipe, not a file"),
    ("{fifo}", "no model folder"),
    ("/dev/zero", "/dev/zero"),
    ("/proc/self/mem", "/proc/self/mem"),
    ("a\0b", UNREADABLE),
    (10_000 * "n", "name too long"),
    ("../" * 2000, "name too long"),
    (SURROGATE, UNREADABLE),
]
