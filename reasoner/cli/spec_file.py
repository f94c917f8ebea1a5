"""Options of `bench` from a file, with flags that win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasoner.cli.bench_options import FILE, OTHERS, BenchOptions
from reasoner.cli.flags import build, flag
from reasoner.documents import Malformed, read_yaml
from reasoner.errors import ConfigError, StoreError
from reasoner.files import clipped, shown
from reasoner.naming import near
from reasoner.secret_settings import hidden

FIELDS = {flag(f): f for f in BenchOptions.model_fields if f not in BenchOptions.NOT_IN_FILE}
"""The fields of a file, and those of the options."""


def bench_options(model: type[BenchOptions], flags: Mapping[str, Any]) -> BenchOptions:
    """Build the options from `flags`, and the file that `spec` among them names; flags win.

    Sizes that the file gives to strategies which a flag replaces are left out.

    Raises:
        ConfigError: the file cannot be read, or a field or flag has a wrong value.
    """
    path: Path | None = flags.get("spec")
    values = hidden(_fields(path)) if path else {}
    if flags.keys() & {"model", "base_url"}:
        values.pop("weights", None)

    def where(option: str) -> str:
        named = FIELDS.get(option, option) in flags
        return f"--{option}" if named or not path else f"{shown(path)}, {option}"

    options = build(model, {**values, **flags}, where)
    if "strategy" not in flags or "search_n" in flags:
        return options
    sizes = {k: v for k, v in options.search_n.items() if k in (OTHERS, *options.strategy)}
    return options.model_copy(update={"search_n": sizes})


def save_whole(shard: Path, out: Path) -> None:
    """Write the spec of a whole run to `out`, from that of a shard, where it has one."""
    if (path := shard / FILE).exists():
        bench_options(BenchOptions, {"spec": path}).model_copy(update={"shard": None}).save(out)


def load(path: Path) -> dict[str, Any]:
    """Read the fields of a YAML file.

    Raises:
        ConfigError: it cannot be read, or is not YAML, or has no fields with values.
    """
    try:
        fields = read_yaml(path)
    except Malformed as e:
        raise ConfigError(f"{shown(path)} is not YAML: {e}") from e
    except StoreError as e:
        raise ConfigError(str(e)) from e
    if not isinstance(fields, dict):
        raise ConfigError(f"{shown(path)} has no fields with values, such as `task: countdown`")
    return {str(field): value for field, value in fields.items()}


def _fields(path: Path) -> dict[str, Any]:
    """Read a file; its fields as those of the options."""
    fields = load(path)
    for field in fields:
        if field not in FIELDS:
            name = clipped(repr(clipped(field, 40)), 60)
            raise ConfigError(f"unknown field {name} in {shown(path)}; {near(field, FIELDS)}")
    return {FIELDS[field]: value for field, value in fields.items()}
