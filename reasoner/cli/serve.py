"""`reasoner serve`: an OpenAI-compatible server in which every strategy is a model."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.cli.engine import engine
from reasoner.documents import Malformed, parse_model, read_yaml
from reasoner.errors import ConfigError
from reasoner.naming import parse_spec
from reasoner.options import InputFile, Options
from reasoner.terminal import complain

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation
    from reasoner.server.settings import ServerSettings

KEYS = "REASONER_API_KEY"
"""The variable with the keys of clients, separated by commas."""


class ServeOptions(Options):
    """The options of `serve`."""

    positional = ("model",)

    model: o.ModelPath = None
    host: Annotated[str, Field(description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="0: any free one")] = 8000
    name: Annotated[
        str | None, Field(description="the model's name for clients (default: its own)")
    ] = None
    strategy: Annotated[
        str | None,
        Field(description="for requests that ask for an effort (default: best-of-n)"),
    ] = None
    task: Annotated[
        str | None, Field(description="how problems are posed and answered (default: as a chat)")
    ] = None
    verifier: o.Verifier = None
    config: Annotated[
        InputFile | None,
        Field(examples=["FILE.yaml"], description="further settings; see docs/serve.md"),
    ] = None
    key_file: Annotated[
        InputFile | None,
        Field(examples=["FILE"], description=f"keys of clients, one a line (default: ${KEYS})"),
    ] = None
    second: Annotated[
        str | None, Field(description="another model, for strategies that use one")
    ] = None
    backend: o.Backend = None
    base_url: o.BaseUrl = None


def serve(options: ServeOptions, call: Invocation) -> int:
    """Serve the strategies on a model until the process is told to stop."""
    import uvicorn

    from reasoner.api import open_backend
    from reasoner.server.app import create_app

    settings = server_settings(options)
    refuse_open_door(options.host, settings)
    backend = open_backend(options.model, **watched(options))
    second = open_backend(options.second) if options.second else None
    name = options.name or backend.model.name
    app, grace = create_app(backend, name, settings, second), round(settings.grace)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=grace)
    listening = listen(options.host, options.port)
    port = listening.getsockname()[1]
    complain(f"{name} is served on http://{options.host}:{port}/v1; stop it with Ctrl-C")
    with suppress(KeyboardInterrupt):  # Told to stop, it has finished or cancelled its searches.
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def watched(options: ServeOptions) -> dict[str, Any]:
    """Return the arguments of a backend; vLLM's own metrics are on, and name no path of this machine."""
    from reasoner.api import EMBEDDED

    arguments = engine(options)
    name, settings = parse_spec(arguments["backend"])
    if name != "vllm":
        return arguments
    served = options.name or Path(options.model or EMBEDDED).name
    return {"disable_log_stats": False, "served_model_name": served} | arguments | settings


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: the address is taken, or none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as e:
        reason = getattr(e, "strerror", None) or e
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}; choose another --port") from e


def server_settings(options: ServeOptions) -> ServerSettings:
    """Return the settings of the file, over which those of the command line win.

    Raises:
        ConfigError: the file has an unknown setting, or a wrong value.
    """
    from reasoner.server.settings import ServerSettings

    fields = _from_file(options.config) if options.config else {}
    for name in ("strategy", "task", "verifier"):
        if (value := getattr(options, name)) is not None:
            fields[name] = value
    if "keys" in fields:
        raise ConfigError(f"keys do not belong in a settings file; use --key-file or ${KEYS}")
    try:
        settings: ServerSettings = parse_model(ServerSettings, _json(fields))
    except Malformed as e:
        raise ConfigError(f"{options.config or 'serve'}: {e}") from e
    return settings.model_copy(update={"keys": _keys(options.key_file)})


def refuse_open_door(host: str, settings: ServerSettings) -> None:
    """Raise a `ConfigError` if anybody on a network could spend this machine's compute."""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and not settings.keys:
        raise ConfigError(
            f"{host} can be reached from other machines; set ${KEYS} or --key-file, or listen on"
            " 127.0.0.1"
        )


def _keys(file: Path | None) -> tuple[str, ...]:
    text = file.read_text() if file else os.environ.get(KEYS, "").replace(",", "\n")
    return tuple(filter(None, map(str.strip, text.splitlines())))


def _from_file(file: Path) -> dict[str, Any]:
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise ConfigError(f"{file} has no settings: write one a line, as in `searches: 16`")
    return content


def _json(fields: dict[str, Any]) -> bytes:
    import json

    return json.dumps(fields).encode()
