"""Names find components, and errors say what to do next."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from reasoner.api import Reasoner
from reasoner.errors import ConfigError, PluginError
from reasoner.naming import parse_spec, split_specs
from reasoner.registry import Registry, backends, strategies, tasks, verifiers
from reasoner.search.beam import Beam
from tests import ROOT

PLUGIN = ROOT / "tests" / "plugin_example"


@pytest.mark.parametrize("registry", [strategies, verifiers], ids=lambda r: r.kind)
def test_every_builtin_loads(registry: Registry) -> None:
    for name in registry.names():
        assert registry.load(name).__doc__


@pytest.mark.parametrize("name", strategies.names())
def test_every_strategy_has_n_and_refuses_none(name: str) -> None:
    assert strategies.make(name, n=3).n == 3
    with pytest.raises(ConfigError, match=f"strategy '{name}': n=0"):
        strategies.make(name, n=0)


def test_near_match() -> None:
    with pytest.raises(ConfigError, match="no strategy named 'beem'; did you mean beam"):
        strategies.make("beem")
    with pytest.raises(ConfigError, match="known: aime24, aime25, amc23, countdown, dagmath"):
        tasks.load("xyzzy")


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="has no setting 'widht'; known: n, branch"):
        strategies.make("beam", widht=2)
    with pytest.raises(ConfigError, match="strategy 'mcts': choose='luck'"):
        strategies.make("mcts", choose="luck")
    with pytest.raises(ConfigError, match="verifier 'oracle' could not be built"):
        verifiers.make("oracle")
    with pytest.raises(ConfigError, match="has no setting 'gpus'"):
        backends.make("scripted", gpus=8)


def test_settings_may_follow_the_name() -> None:
    assert strategies.make("beam(branch=3, lookahead=1)", n=4) == Beam(n=4, branch=3, lookahead=1)
    assert strategies.make("beam(n=5)").n == 5
    assert strategies.load(r"budget-forcing(wait='\n')") is strategies.load("budget-forcing")
    assert parse_spec(r"budget-forcing(wait=' a, b\n')") == ("budget-forcing", {"wait": " a, b\n"})


@pytest.mark.parametrize(
    "text", ["beam(", "beam(3)", "beam(branch=x)", "beam(branch=2", "beam()x", "beam(**{'n': 1})"]
)
def test_what_follows_the_name_must_be_settings(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a name with settings, such as beam\(key=2"):
        strategies.make(text)


def test_settings_after_the_name_are_checked_as_well() -> None:
    with pytest.raises(ConfigError, match="strategy 'beam' has no setting 'widht'"):
        strategies.make("beam(widht=2)")


def test_commas_in_brackets_part_nothing() -> None:
    text = "beam(branch=2, n=8),mcts, budget-forcing(wait='a,b'),"
    assert split_specs(text) == ["beam(branch=2, n=8)", "mcts", "budget-forcing(wait='a,b')"]
    assert split_specs("mcts,beam(branch=2, n=8") == ["mcts", "beam(branch=2, n=8"]  # to be refused


def test_a_component_that_does_not_import() -> None:
    broken = Registry("thing", "no.such.group", {"broken": "no_such_module:X"})
    with pytest.raises(PluginError, match=r"thing 'broken' \(no_such_module:X\) failed to import"):
        broken.load("broken")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example plugin, as pip would leave it: its module and its metadata on the path."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    info = tmp_path / "reasoner_patience-0.1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(f"Name: {project['name']}\nVersion: 0.1.0\n")
    [(name, value)] = project["entry-points"]["reasoner.search"].items()
    info.joinpath("entry_points.txt").write_text(f"[reasoner.search]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(PLUGIN)


@pytest.mark.usefixtures("installed")
def test_plugin() -> None:
    assert "patience" in strategies.names()
    with Reasoner("scripted", strategy="patience") as reasoner:
        assert reasoner.solve("1+2+3").answer == "6"
    with pytest.raises(ConfigError, match="did you mean patience"):
        strategies.load("patiense")
