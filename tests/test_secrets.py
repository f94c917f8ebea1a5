"""A secret that is given to a command is in no file, no message and no name of what it leaves."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass as plain
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from pydantic.dataclasses import dataclass

from reasoner import redaction, registry
from reasoner.api import Reasoner
from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.store.grid import Grid
from reasoner.cli import main
from reasoner.errors import BackendError, ConfigError
from reasoner.redaction import redacted
from reasoner.search.best_of_n import BestOfN
from reasoner.secret_settings import hidden, keyless
from reasoner.verifiers.regex import Regex

KEY, OTHER, PASSWORD = "s3cr3t-0f-the-server", "another-s3cr3t-key", "pa55-w0rd"
BASIC = b64encode(f"alice:{PASSWORD}".encode()).decode()
SECRETS = (KEY, OTHER, PASSWORD, BASIC)
Captured = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Keyed(Regex):
    """A verifier with a key."""

    pattern: str = "1"
    api_key: str = ""

    def __post_init__(self) -> None:
        """Refuse another key."""
        if self.api_key != KEY:
            raise ValueError("it has no key")


@dataclass(frozen=True)
class Tokened(BestOfN):
    """A strategy with a token."""

    auth_token: str = ""

    def __post_init__(self) -> None:
        """Refuse another token."""
        if self.auth_token != OTHER:
            raise ValueError("it has no token")


class Handler(BaseHTTPRequestHandler):
    """A server that answers `1`, or fails and tells everything it was sent."""

    fails = 0
    seen: list[str]
    organisations: set[str]

    def do_GET(self) -> None:
        """Be no vLLM."""
        self._reply(404, {})

    def do_POST(self) -> None:
        """Answer."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sent = self.headers.get("Authorization", "")
        self.seen.append(sent)
        self.organisations.add(self.headers.get("X-Organisation", ""))
        if self.fails:
            error = {"message": f"bad key {sent.partition(' ')[2]}", "headers": dict(self.headers)}
            return self._reply(self.fails, {"error": error})
        choice = {"index": 0, "text": "#1", "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 2}
        choices = [{**choice, "index": i} for i in range(asked["n"])]
        return self._reply(200, {"choices": choices, "usage": usage})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _reply(self, code: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@plain
class Server:
    """A server's address, and the headers and bodies that it received."""

    place: str
    handler: type[Handler]

    @property
    def url(self) -> str:
        return f"http://{self.place}/v1"

    @property
    def with_login(self) -> str:
        return f"http://alice:{PASSWORD}@{self.place}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    handler = type("Listening", (Handler,), {"seen": [], "organisations": set()})
    served = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Server(f"127.0.0.1:{served.server_address[1]}", handler)
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without a key in the environment, and with the components registered that take one."""
    forget()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for known, name, made in (
        (registry.verifiers, "keyed", "Keyed"),
        (registry.strategies, "tokened", "Tokened"),
    ):
        monkeypatch.setattr(known, "_builtin", {**known._builtin, name: f"{__name__}:{made}"})


def forget() -> None:
    """Be another process, which knows no secret yet."""
    redaction._secrets.clear()
    redaction._references.clear()


def clean(root: Path, capsys: Captured) -> str:
    """Return the output, after checking that no secret is in it, in a file below `root`, or in a file's name."""
    printed = "".join(capsys.readouterr())
    for secret in SECRETS:
        assert secret not in printed
        for file in root.rglob("*"):
            assert secret not in file.name
            assert file.is_dir() or secret.encode() not in file.read_bytes(), file
    return printed


def bench(out: Path, *more: str) -> list[str]:
    tiny = ["--task", "countdown", "--problems", "2", "--n", "1,2", "--search-n", "2"]
    return ["bench", *tiny, "--verifier", "regex(pattern='1')", "--out", str(out), *more]


def told_key(server: Server) -> set[str]:
    """Return the requests that the server received, and forget them."""
    seen = set(server.handler.seen)
    server.handler.seen.clear()
    return seen


def test_headers_and_a_named_variable(
    server: Server, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVER_KEY", KEY)
    out = tmp_path / "out"
    headers = f"{{'X-Organisation': '{OTHER}'}}"
    spec = f"openai(api_key_env='MY_SERVER_KEY', headers={headers}, retries=0)"
    model = ["--model", "m", "--base-url", server.url, "--backend", spec]
    assert main(bench(out, *model, "--strategy", "best-of-n")) == 0
    assert told_key(server) == {f"Bearer {KEY}"}
    assert server.handler.organisations == {OTHER}
    clean(tmp_path, capsys)
    assert Grid.load(out).backend == "openai(api_key_env='MY_SERVER_KEY', retries=0)"


def test_headers_in_a_message_are_masked() -> None:
    spec = f"openai(headers={{'X-Organisation': '{OTHER}', 'X-Other': 'short'}})"
    assert redacted(f"cannot parse {spec}") == "cannot parse openai(headers=***)"
    assert redacted(str(hidden(spec))) == hidden(spec) and OTHER not in hidden(spec)


def test_a_key_on_the_command_line(
    server: Server, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    model = ["--model", "m", "--base-url", server.url]
    keyed = ["--backend", f'openai(api_key="{KEY}", retries=0)']
    assert main(bench(out, *model, *keyed, "--strategy", "best-of-n,beam")) == 0
    assert told_key(server) == {f"Bearer {KEY}"}
    assert "a secret on the command line" in clean(tmp_path, capsys)
    assert Grid.load(out).backend == "openai(retries=0)"

    for command in (
        ["report"], ["plot"], ["compare", "--n", "1,2"], ["scaling"], ["inspect", "0"],
        ["inspect", "0", "--strategy", "beam"], ["inspect", "0", "--json"],
        ["export-pool", "--out", str(tmp_path / "pool.jsonl")],
    ):  # fmt: skip
        assert main([command[0], str(out), *command[1:]]) == 0
    clean(tmp_path, capsys)

    forget()
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)
    assert main(["bench", "--spec", str(out / "spec.yaml"), "--out", str(again)]) == 0
    assert told_key(server) == {f"Bearer {OTHER}"}
    assert "command line" not in clean(tmp_path, capsys)
    for file in ("spec.yaml", "grid.json"):
        assert (again / file).read_text() == (out / file).read_text()


def test_a_user_and_password_in_an_address(
    server: Server, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, again = tmp_path / "out", ["--out", str(tmp_path / "again")]
    address = ["--model", "m", "--base-url", server.with_login]
    assert main(bench(out, *address, "--strategy", "majority")) == 0
    assert told_key(server) == {f"Basic {BASIC}"}
    assert "a secret on the command line" in clean(tmp_path, capsys)
    spec = out / "spec.yaml"
    assert yaml.safe_load(spec.read_text())["base-url"] == server.with_login.replace(
        f"alice:{PASSWORD}", "env:REASONER_LOGIN"
    )
    forget()
    assert main(["bench", "--spec", str(spec), *again]) == 2
    assert "environment variable REASONER_LOGIN is not set" in capsys.readouterr().err
    monkeypatch.setenv("REASONER_LOGIN", f"alice:{PASSWORD}")
    assert main(["bench", "--spec", str(spec), *again]) == 0
    assert told_key(server) == {f"Basic {BASIC}"}
    clean(tmp_path, capsys)


@pytest.mark.parametrize("code", [401, 500])
def test_a_server_that_repeats_what_it_was_sent(
    code: int, server: Server, tmp_path: Path, capsys: Captured
) -> None:
    server.handler.fails = code
    fast = f'openai(api_key="{KEY}", retries=0)'
    model = ["--model", "m", "--backend", fast, "--base-url", server.url]
    assert main(["solve", "1+2", *model, "--strategy", "majority"]) == 2
    main(bench(tmp_path / "out", *model, "--strategy", "majority"))
    main(["report", str(tmp_path / "out")])
    main(["inspect", str(tmp_path / "out"), "0"])
    assert told_key(server) == {f"Bearer {KEY}"}
    assert "bad key ***" in clean(tmp_path, capsys)


def test_verifiers_and_strategies_with_secrets(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, model = tmp_path / "out", ["--model", "scripted"]
    named = [
        "--verifier",
        f"keyed(api_key='{KEY}')",
        "--strategy",
        f"tokened(auth_token='{OTHER}'),best-of-n",
    ]
    assert main(bench(out, *model, *named)) == 0
    assert main(["rerank", str(out), *model, *named[:2], "--out", str(tmp_path / "reranked")]) == 0
    assert (
        main(["solve", "1+2", *model, *named[:2], "--strategy", f"tokened(auth_token='{OTHER}')"])
        == 0
    )
    evaluated = ["--task", "countdown", "--problems", "2", "--n", "2", "--dev-problems", "2"]
    assert (
        main(["eval-verifier", *model, *named[:2], *evaluated, "--out", str(tmp_path / "e")]) == 0
    )
    clean(tmp_path, capsys)
    assert Grid.load(out).verifier == "keyed(api_key='env:REASONER_API_KEY')"

    forget()
    again = ["bench", "--spec", str(out / "spec.yaml"), "--out", str(tmp_path / "again")]
    assert main(again) == 2
    assert "environment variable REASONER_" in clean(tmp_path, capsys)
    monkeypatch.setenv("REASONER_API_KEY", KEY)
    monkeypatch.setenv("REASONER_AUTH_TOKEN", OTHER)
    assert main(again) == 0
    clean(tmp_path, capsys)


def test_a_secret_in_a_file_of_a_run(server: Server, tmp_path: Path, capsys: Captured) -> None:
    file, out = tmp_path / "asked.yaml", tmp_path / "out"
    asked = {
        "task": "countdown", "strategy": "majority", "problems": 1, "n": [1], "model": "m",
        "backend": f"openai(api_key='{KEY}')", "base-url": server.with_login,
    }  # fmt: skip
    file.write_text(yaml.safe_dump(asked))
    assert main(["bench", "--spec", str(file), "--out", str(out)]) == 0
    file.unlink()
    clean(tmp_path, capsys)


WRONG = {
    "setting": ["--backend", f'openai(api_key="{KEY}", chatt=True)'],
    "syntax": ["--backend", f'openai(api_key="{KEY}"'],
    "quote": ["--backend", f'openai(api_key="{KEY})'],
    "name": ["--backend", f"opnai(api_key='{KEY}')"],
    "call": ["--verifier", f"keyed(api_key='{KEY}' + 'x')"],
    "type": ["--verifier", f"keyed(pattern=3, api_key='{KEY}')"],
    "scheme": ["--base-url", f"ftp://alice:{PASSWORD}@host/v1"],
    "slash": ["--base-url", f"http://alice:pa/{PASSWORD}@host/v1"],
    "port": ["--base-url", f"http://alice:{PASSWORD}@host:port/v1"],
    "flag": ["--api-key", KEY],
    "flag with value": [f"--api-key={KEY}"],
    "header": ["--header", f"Authorization: Bearer {KEY}"],
    "query": ["--base-url", f"ftp://host/v1?key={KEY}&x=1"],
    "list": ["--strategy", f"beam,tokened(auth_token='{KEY}'"],
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("command", ["solve", "bench"])
def test_an_error_does_not_quote_it(
    command: str, name: str, tmp_path: Path, capsys: Captured
) -> None:
    given = ["solve", "1+2"] if command == "solve" else bench(tmp_path / "out")
    assert main([*given, "--model", "m", *WRONG[name]]) == 2
    assert clean(tmp_path, capsys)


def test_the_key_of_the_environment_gives_way(
    server: Server, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MY_KEY", OTHER)
    solve = ["solve", "1+2", "--model", "m", "--base-url", server.url, "--strategy", "greedy"]
    sent = []
    for backend in ("openai", "openai(api_key='env:MY_KEY')", "openai(api_key='')"):
        assert main([*solve, "--backend", backend]) == 0
        sent.append(told_key(server))
    assert sent == [{f"Bearer {KEY}"}, {f"Bearer {OTHER}"}, {""}]
    assert "command line" not in "".join(capsys.readouterr())
    with pytest.raises(ConfigError, match="variable NO_KEY is not set"):
        Reasoner("m", backend="openai(api_key='env:NO_KEY')")


def test_names_are_equal_whatever_the_secret() -> None:
    named = [hidden(f"keyed(api_key={key!r}, pattern='2')") for key in (KEY, KEY)]
    forget()
    named.append(hidden(f"keyed(pattern='2', api_key='{OTHER}')"))
    assert keyless(named[0]) == keyless(named[2]) == "keyed(pattern='2')"
    assert named[0] == named[1] == "keyed(api_key='env:REASONER_API_KEY', pattern='2')"
    nested = hidden({"strategy": ["beam", f"""fallback(first="tokened(auth_token='{KEY}')")"""]})
    assert KEY not in str(nested) and nested["strategy"][0] == "beam"
    assert hidden("beam( branch = 4 )") == "beam( branch = 4 )"
    headers = hidden(f"other(headers={{'Authorization': 'Bearer {KEY}'}}, tries=3)")
    assert headers == "other(headers={'Authorization': 'env:REASONER_AUTHORIZATION'}, tries=3)"


SAID = {
    f"api_key='{KEY}'": "api_key=***",
    f'{{"api_key": "{KEY}", "n": 1}}': '{"api_key": ***, "n": 1}',
    f"Authorization: Bearer {KEY}": "Authorization: ***",
    f"illegal header value b'Bearer {KEY}\\n'": "illegal header value b'Bearer ***\\n'",
    f"GET https://u:{PASSWORD}@host/x": "GET https://***@host/x",
    f"https://host/x?token={KEY}&n=1": "https://host/x?token=***&n=1",
    f"hf_token={KEY}, max_tokens=5": "hf_token=***, max_tokens=5",
    "sk-abcdefghijklmnopqrst1234 is no key": "*** is no key",
    "no budget named 'tokns'; tokens=2000, key=2": "no budget named 'tokns'; tokens=2000, key=2",
    "openai(api_key='env:MY_KEY')": "openai(api_key='env:MY_KEY')",
    "http://env:MY_LOGIN@host/v1": "http://env:MY_LOGIN@host/v1",
    "the label-token verifier": "the label-token verifier",
}


@pytest.mark.parametrize("text", SAID)
def test_what_is_masked(text: str) -> None:
    assert redacted(text) == SAID[text]
    assert str(BackendError(text)) == SAID[text]


def test_a_library_stores_none_either() -> None:
    grid = Grid(verifier=f"keyed(api_key='{KEY}')", backend=f"openai(api_key='{KEY}')")
    assert KEY not in grid.model_dump_json() and all(
        KEY not in s.label + s.key for s in grid.specs()
    )
    assert KEY not in repr(Reasoner(Scripted(), verifier=grid.verifier).backend)
