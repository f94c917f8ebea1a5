"""The first minutes: `reasoner` alone, `reasoner demo`, and `reasoner environment`."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from reasoner.cli import main
from reasoner.cli.commands import COMMANDS, TRAINING
from reasoner.cli.overview import STARTS

Captured = pytest.CaptureFixture[str]


def test_alone_it_shows_a_screen_with_every_command(capsys: Captured) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert len(lines) <= 24 and all(len(line) <= 88 for line in lines)
    names = " ".join(out.split())
    assert all(command.name in names for command in (*COMMANDS, *TRAINING))


def test_what_the_screen_proposes_exists() -> None:
    proposed = [
        shlex.split(line)[1] for line in STARTS.splitlines() if line.startswith("  reasoner")
    ]
    assert len(proposed) >= 7 and set(proposed) <= {command.name for command in COMMANDS}


def test_the_demo_shows_a_tree_an_answer_its_cost_and_the_next_step(capsys: Captured) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    tree = [line for line in out.splitlines() if line[2:7].replace(".", "").isdigit()]
    path = [line for line in tree if line.startswith("*")]
    assert len(path) == 5 < len(tree) and path[-1].endswith("#107")
    assert "answer: 107" in out and "tokens generated" in out and "next: reasoner solve" in out


def test_the_demo_is_the_same_every_time(capsys: Captured) -> None:
    documents = list[dict[str, object]]()
    for _ in range(2):
        assert main(["demo", "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    one, two = ({**d, "seconds": 0} for d in documents)
    assert one == two and one["answer"] == "107"


def test_the_environment_has_versions_and_no_path(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert main(["environment"]) == 0
    line = capsys.readouterr().out
    assert main(["environment", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert line.count("\n") == 1 and f"Python {document['python']}" in line
    assert {"commit", "packages", "hardware", "platform"} <= set(document)
    for text in (line, json.dumps(document)):
        assert "sk-secret" not in text and str(Path.home()) not in text.replace("/rootfs", "")
        assert os.getcwd() not in text
