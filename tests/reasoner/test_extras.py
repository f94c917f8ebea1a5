"""A missing package is named with the extra that brings it, and the core needs no extra."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reasoner import Reasoner, errors, extras
from reasoner.cli import main
from reasoner.cli.commands import COMMANDS, TRAINING, Command
from reasoner.syntax import parse_module
from reasoner.verifiers.reward.weights import weights
from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
CORE = {
    "pydantic",
    "networkx",
    "rich",
    "httpx",
    "httpx_aiohttp",
    "jsonschema",
    "regex",
    "yaml",
    "shtab",
}
BROUGHT = {
    "aiohttp": "httpx_aiohttp",
    "annotated_types": "pydantic",
    "jsonschema_specifications": "jsonschema",
    "pydantic_core": "pydantic",
    "referencing": "jsonschema",
    "huggingface_hub": "transformers",
    "jinja2": "transformers",
}
"""Modules that a package brings which needs them itself."""
PEERS = {"its_hub"}
"""Development dependencies that a study measures beside us."""


def brought(extra: str) -> set[str]:
    """Return the packages of an extra, and of the extras it includes."""
    packages = set[str]()
    for requirement in map(Requirement, OPTIONAL[extra]):
        if requirement.name == extras.DISTRIBUTION:
            packages.update(*map(brought, requirement.extras))
        else:
            packages.add(canonicalize_name(requirement.name))
    return packages


@pytest.mark.parametrize("module", extras.EXTRAS)
def test_each_extra_brings_the_module(module: str) -> None:
    package = canonicalize_name(extras.PACKAGES.get(module, module))
    for extra in extras.EXTRAS[module]:
        packages = set[str]().union(*map(brought, extra.split(",")))
        assert {package, f"{package}-cpu"} & packages, extra


def imports() -> Iterator[tuple[Path, str]]:
    """Yield every top-level module that the package imports, with the file."""
    for file in (f for room in ("reasoner", "search", "verifiers", "benchmarks") for f in
                 (ROOT / room).rglob("*.py")):  # fmt: skip
        for node in ast.walk(parse_module(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield file, str(node.module).partition(".")[0]


def test_every_import_is_of_the_core_or_of_an_extra() -> None:
    ours = {"reasoner", *CORE, *extras.EXTRAS, *BROUGHT, *PEERS, *sys.stdlib_module_names}
    others = {(file.name, module) for file, module in imports() if module not in ours}
    assert not others


def test_the_core_is_what_it_should_be() -> None:
    names = {Requirement(each).name for each in PROJECT["dependencies"]}
    assert names == CORE - {"yaml", "httpx_aiohttp"} | {"pyyaml", "httpx-aiohttp"}


CORE_ONLY = """
import sys
sys.modules |= dict.fromkeys(%r)
from reasoner.cli import main
from reasoner.cli.commands import COMMANDS, TRAINING
for command in (*COMMANDS, *TRAINING):
    words = ["train"] * (command in TRAINING) + [command.name, "--help"]
    assert main(words) == 0, words
for strategy in ("beam", "majority", "mcts", "auto"):
    assert main(["solve", "1+2+3", "--model", "scripted", "--strategy", strategy]) == 0, strategy
assert main(["list"]) == 0
"""


def test_the_core_alone_solves_and_prints_every_help() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CORE_ONLY % (tuple(extras.EXTRAS),)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "answer: 6" in ended.stdout


@pytest.mark.parametrize("command", [*COMMANDS, *TRAINING], ids=lambda command: command.name)
def test_a_command_names_the_extra_that_it_needs(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in command.needs:
        with monkeypatch.context() as without:
            without.setitem(sys.modules, module, None)
            with pytest.raises(errors.MissingPackage, match=re.escape(extras.install(module))):
                command.run(None, ())  # type: ignore[arg-type]
    assert capsys.readouterr() == ("", "")


def test_a_missing_package_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plot", "."]) == 2
    assert capsys.readouterr().err == (
        "reasoner: this command needs matplotlib, which is not installed:"
        " pip install 'test-time-compute[bench]'\n"
    )


@pytest.mark.parametrize(
    ("module", "verifier"), [("vllm", None), ("transformers", "math-shepherd")]
)
def test_python_callers_read_the_same(
    module: str, verifier: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights.cache_clear()  # Another test may have read the same ones.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.ConfigError, match=re.escape("'test-time-compute[cpu]' or")):
        Reasoner("scripted" if verifier else None, verifier=verifier)


def test_a_component_that_would_not_import_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    error = ModuleNotFoundError("No module named 'math_verify.parser'", name="math_verify.parser")
    lacked = extras.missing(error, "task 'x'")
    assert str(lacked) == (
        "task 'x' needs math-verify, which is not installed: pip install 'test-time-compute[bench]'"
    )
    assert isinstance(lacked, ImportError) and lacked.name == "math_verify"


@pytest.mark.parametrize("name", ["no_such_module", "numpy.no_such_module", None])
def test_other_failed_imports_stay_what_they_are(name: str | None) -> None:
    error = ModuleNotFoundError("broken", name=name)
    assert extras.missing(error) is None
    with pytest.raises(ModuleNotFoundError) as raised, extras.needed_by("a test"):
        raise error
    assert raised.value is error
