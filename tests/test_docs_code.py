"""The code on the pages of `docs/` and in CONTRIBUTING.md runs as it stands, or is listed here with the reason.

Python blocks of a page run one after the other in one namespace. Of shell blocks every `reasoner` command is parsed, and
all that need neither an engine nor a network run, with the scripted model and few problems.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from reasoner.cli import main
from reasoner.cli.commands import parser
from reasoner.syntax import parse_module
from tests import ROOT
from tests.reasoner.server.conftest import serving
from tests.test_links import DOCS

BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)

PAGES = [*DOCS, "CONTRIBUTING.md"]
APART = {
    "CONTRIBUTING.md": "tests/test_contributing.py runs it",
    "docs/serve.md": "clients, which need a server: below",
}
"""Pages whose Python blocks are not run one after the other."""
PYTHON_NOT_RUN = {
    "from trl import": "TRL pins another vLLM",
    'backends.make("vllm"': "needs an engine; tests/reasoner/train/test_reward.py runs the same calls",
    'Reasoner("runs/value-head"': "needs a trained folder; tests/reasoner/train/test_value_head.py has one",
}
"""Python blocks that are only compiled and have their imports of `reasoner` run, by a text in them, with the reason."""

GIVEN = {
    "docs/eval-verifier.md": """
        from pathlib import Path
        from reasoner.backends.scripted import Scripted
        from reasoner.verifiers.confidence import Confidence as Mine
        out, backend = Path("runs/mine"), Scripted()
    """,
    "docs/export.md": """
        from unittest.mock import Mock
        GRPOTrainer = rows = Mock()
    """,
    "docs/graders.md": "from reasoner import Example",
    "docs/servers.md": """
        from reasoner import Reasoner
        from reasoner.verifiers.reward.math_shepherd import MathShepherd
    """,
    "docs/statistics.md": """
        from reasoner.benchmarks.store.run_folder import RunFolder
        records = RunFolder.load("runs/mine").pool("countdown")
    """,
    "docs/tasks.md": """
        from pathlib import Path
        Path("mine.jsonl").write_text('{"q": "How many legs have three spiders?", "a": "24", "key": "spiders"}')
    """,
    "docs/verifiers/code.md": """
        from reasoner import Candidate, Completion, Problem
        from reasoner.types import Finish
        from reasoner.verifiers.code import Code
        program = Completion("def double(x): return 2 * x", (1,), Finish.EOS)
        candidates = [Candidate((program,), True)]
    """,
    "docs/verifiers/label-token.md": "from reasoner import Reasoner; model = 'scripted'",
    "docs/verifiers/orm.md": "from reasoner import Reasoner; model = 'scripted'",
    "docs/verifiers/prm.md": "from reasoner import Reasoner; model = 'scripted'",
}
"""Values that the sentences around the Python code of a page take as given."""
COMMANDS_BEFORE = {
    "docs/pools.md": [
        "reasoner bench --strategy majority,best-of-n --out runs/theirs",
        "reasoner bench --strategy best-of-n --task dagmath --out runs/mine",
    ],
    "docs/runs.md": [
        *(f"reasoner bench --spec run.yaml --shard {i}/4 --out shared/{i}" for i in (2, 3, 4)),
        "reasoner bench --strategy best-of-n --out runs/mine",
    ],
    "docs/statistics.md": ["reasoner bench --strategy best-of-n --out runs/mine"],
    "docs/strategies/pool.md": ["reasoner bench --strategy best-of-n --out runs/try"],
}
"""Commands that made the folders which a page speaks of."""

IN_CI = "docs/cli.md"
"""The page whose commands `.ci/run` runs, as tests/test_readme.py makes sure."""

SMALLER = {"problems=200": "problems=2", "DiagnosisPlan.of(64": "DiagnosisPlan.of(2"}
"""Sizes that a test does not take."""

NOT_RUN = {
    "pip": "installs packages",
    "python": "a module; tests/test_links.py looks it up",
    "mkdir": "unpacks the records of the full run, which take minutes to grade",
    "curl": "a client, which needs a server: below",
    "lm_eval": "tests/reasoner/server/test_other_clients.py runs it",
    "for": "a loop over trained models", "done": "a loop over trained models",
    "reasoner serve": "runs until it is stopped",
    "reasoner train": "needs an engine; tests/reasoner/train runs each method",
    "reasoner scaling runs/rounds/*": "needs trained models",
    "reasoner import-pool": "files of other programs; tests/benchmarks/store reads each format",
    "reasoner rerank": "asks a model that the page leaves open",
    "reasoner export": "the scripted model solves no problem that could be exported",
}  # fmt: skip
"""Shell commands that do not run here, by their beginning, with the reason; those of `reasoner` are parsed."""
ABSENT = (
    "--base-url",
    "vllm(",
    "runs/expert/",
    "token-classifier(",
    "--task gsm8k",
    "--workers",
    "--track",
)
"""Parts of commands that need a server, GPUs, a trained model, a data set, a Ray cluster or a tracker."""
INSTEAD = {
    "bench": "--model scripted --task countdown --problems 8 --n 1,4,16",
    "eval-verifier": "--model scripted --task dagmath --problems 2 --dev-problems 2 --n 2",
    "solve": "--model scripted",
}
"""Options that have a command run without an engine, in seconds; the last of two equal options wins."""


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    found = BLOCK.findall((ROOT / page).read_text())
    return [dedent(code) for _, kind, code in found if kind == language]


def with_code(language: str) -> list[str]:
    return [page for page in PAGES if blocks(page, language)]


def run(code: str, page: str, names: dict[str, Any]) -> None:
    """Run code that may wait at its top level."""
    for text, smaller in SMALLER.items():
        code = code.replace(text, smaller)
    running = eval(compile(code, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.iscoroutine(running):
        asyncio.run(running)


def imports(code: str) -> str:
    """The statements of a block that import from this project."""
    nodes = [n for n in parse_module(code).body if isinstance(n, ast.ImportFrom)]
    return "\n".join(ast.unparse(n) for n in nodes if (n.module or "").startswith("reasoner"))


def claimed(code: str) -> list[str]:
    """Return the output of a block as its comments give it."""
    return re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the example of a run as a file."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "docs" / "run.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", sorted({*with_code("python")} - {*APART}))
def test_python(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before(page)
    module = sys.modules.setdefault("__page__", ModuleType("__page__"))
    names: dict[str, Any] = {"__name__": module.__name__}
    run(dedent(GIVEN.get(page, "")), page, names)
    for code in blocks(page, "python"):
        run(imports(code) if any(text in code for text in PYTHON_NOT_RUN) else code, page, names)
        printed = capsys.readouterr().out
        assert all(line in printed for line in claimed(code))


@pytest.mark.parametrize(
    "comment", re.findall(r"^(.*)  # (.*)$", blocks("docs/graders.md", "python")[0], re.MULTILINE)
)
def test_graders_return_what_the_page_says(comment: tuple[str, str]) -> None:
    names: dict[str, Any] = {}
    run(imports(blocks("docs/graders.md", "python")[0]), "docs/graders.md", names)
    assert str(eval(comment[0], names)) == comment[1]


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each command in the shell blocks of a page."""
    for code in blocks(page, "sh"):
        for line in code.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def skipped(words: list[str]) -> bool:
    """True if a command does not run here."""
    command = " ".join(words)
    begins = any(command == start or command.startswith(f"{start} ") for start in NOT_RUN)
    return begins or any(part in command for part in ABSENT)


def run_command(words: list[str]) -> None:
    """Run a command with the scripted model, or a query of a database."""
    match words:
        case ["reasoner", name, *_]:
            assert main([*words[1:], *INSTEAD.get(name, "").split()]) == 0, words
        case ["sqlite3", database, query]:
            with closing(sqlite3.connect(database)) as connection:
                connection.execute(query).fetchall()
        case _:
            pytest.fail(f"{words} neither runs here nor is in NOT_RUN")


def before(page: str) -> None:
    """Make the folders that a page speaks of."""
    for command in COMMANDS_BEFORE.get(page, ()):
        run_command(shlex.split(command))


def parse(words: list[str], folder: Path) -> None:
    """Parse a command of `reasoner`, whose input files are made, and are empty."""
    for file in (word for word in words if re.search(r"\.(jsonl|eval)$", word)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    parser().parse_args(words)


@pytest.mark.parametrize("page", sorted({*with_code("sh")} - {IN_CI}))
def test_shell(page: str, folder: Path) -> None:
    before(page)
    for words in commands(page):
        if not skipped(words):
            run_command(words)
        elif words[0] == "reasoner":
            parse(words[1:], folder)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server of the scripted model, which is named `toy` there."""
    with serving() as running:
        yield running.url


@pytest.mark.timeout(300)  # Their imports are large.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "code", blocks("docs/serve.md", "python"), ids=["openai", "langchain", "litellm"]
)
def test_clients(
    code: str, address: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip(re.findall(r"(?:from|import) (\w+)", code)[0])
    run(
        code.replace("http://127.0.0.1:8000", address).replace("scripted:", "toy:"),
        "docs/serve.md",
        {},
    )
    assert "#49" in capfd.readouterr().out


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl(address: str) -> None:
    [words] = [words for words in commands("docs/serve.md") if words[0] == "curl"]
    there = [
        word.replace("http://127.0.0.1:8000", address).replace("scripted:", "toy:")
        for word in words
    ]
    assert "#49" in subprocess.run(there, capture_output=True, text=True, check=True).stdout


def test_every_exception_is_needed() -> None:
    code = "\n".join(code for page in PAGES for code in blocks(page, "python"))
    assert all(text in code for text in PYTHON_NOT_RUN)
    lines = [" ".join(words) for page in PAGES for words in commands(page)]
    assert all(any(line.startswith(start) for line in lines) for start in NOT_RUN)
    assert all(any(part in line for line in lines) for part in ABSENT)
    reasons = " ".join([*PYTHON_NOT_RUN.values(), *NOT_RUN.values(), *APART.values()])
    assert all((ROOT / path).exists() for path in re.findall(r"tests/[\w/]+(?:\.py)?", reasons))
