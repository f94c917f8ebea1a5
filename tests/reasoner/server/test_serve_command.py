"""`reasoner serve`: a process that serves, stops when it is told to, and refuses in one line."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from reasoner.cli import main

COMMAND = [sys.executable, "-m", "reasoner", "serve", "scripted", "--port", "0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        address = re.search(r"http://127.0.0.1:\d+/v1", line)
        assert address, line
        asked = {"model": "scripted:beam", "messages": [{"role": "user", "content": "12+30+7"}]}
        reply = httpx.post(f"{address[0]}/chat/completions", json=asked, timeout=30)
        assert reply.json()["choices"][0]["message"]["content"].endswith("#49")
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--host", "0.0.0.0"],
            "0.0.0.0 can be reached from other machines; set $REASONER_API_KEY",
        ),
        (["--host", "::"], ":: can be reached from other machines"),
        (["--strategy", "baem"], "no strategy named 'baem'; did you mean beam"),
        (["--verifier", "arithmatic"], "did you mean arithmetic"),
        (["--task", "gsm9k"], "did you mean gsm8k"),
        (["--port", "70000"], "--port"),
        (["--config", "{typo}"], "there is no 'serches'; did you mean searches"),
        (["--config", "{number}"], "searches: Input should be a valid integer"),
        (["--config", "{keys}"], "keys do not belong in a settings file"),
        (["--config", "{text}"], "has no settings"),
        (["--key-file", "nowhere"], "nowhere"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("REASONER_API_KEY", raising=False)
    contents = {"typo": "serches: 3", "number": "searches: many", "keys": "keys: [a]", "text": "x"}
    files = {name: tmp_path / f"{name}.yaml" for name in contents}
    for name, file in files.items():
        file.write_text(contents[name])
    command = ["serve", "scripted", *(a.format(**files) for a in arguments)]
    try:
        code = main(command)
    except SystemExit as e:
        code = int(e.code or 0)
    error = capsys.readouterr().err
    assert code == 2 and message in error and len(error.strip().splitlines()) == 1, error


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from reasoner.cli.serve import listen

    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "scripted", "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in error and len(error.splitlines()) == 1
