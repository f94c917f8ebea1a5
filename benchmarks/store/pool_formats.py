"""The formats of recorded solutions: our own, and the logs of other harnesses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from reasoner.benchmarks.store.inspect_log import is_archive, is_inspect, read_inspect
from reasoner.benchmarks.store.lm_eval_log import is_lm_eval, read_lm_eval
from reasoner.benchmarks.store.pool_file import Recorded, read_pool
from reasoner.documents import Malformed, parse_json
from reasoner.errors import ConfigError
from reasoner.files import opened, read_lines, shown

Format = Literal["auto", "pool", "lm-eval", "inspect"]
HEAD = 4096
INSPECT = re.compile(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"(status|eval|invalidated)"\s*:')
"""The beginning of a log of inspect, which may be one line of any length."""


def read_recorded(
    path: Path, kind: Format, fields: Mapping[str, str] | None = None, score: str = ""
) -> list[Recorded]:
    """Return the problems of a file in one of the formats, which is recognised if `kind` is "auto".

    `fields` names the fields of our own format, `score` the metric or scorer of a log.

    Raises:
        ConfigError: the file is not in the format, or holds no problem or no solution.
        StoreError: the file cannot be read.
    """
    kind = recognised(path) if kind == "auto" else kind
    match kind:
        case "lm-eval":
            pool = read_lm_eval(path, score)
        case "inspect":
            pool = read_inspect(path, score)
        case _:
            pool = read_pool(path, fields)
    if not pool:
        raise ConfigError(
            f"{shown(path)} holds no problems; it takes JSON lines, one problem a line, or a log of"
            " lm-eval or inspect"
        )
    if not any(problem.completions for problem in pool):
        raise ConfigError(f"{shown(path)} holds no completions; see `reasoner import-pool --help`")
    return pool


def recognised(path: Path) -> Format:
    """Return the format of a file by its beginning; our own where it is none of the others."""
    if is_archive(path):
        return "inspect"
    with opened(path) as file:
        if INSPECT.match(file.read(HEAD)):
            return "inspect"
    try:
        first = parse_json(next((line for line in read_lines(path) if line.strip()), b""))
    except Malformed:
        return "pool"
    if not isinstance(first, dict):
        return "pool"
    return "lm-eval" if is_lm_eval(first) else "inspect" if is_inspect(first) else "pool"
