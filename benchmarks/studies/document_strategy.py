"""Write what a built-in strategy needs beside its code: page, picture, index row, name in components.md, export.

    python -m reasoner.benchmarks.studies.document_strategy NAME [--model scripted] [--root .]

The strategy is in `search/` and in `reasoner/registry.py`. A page or a picture that exists is left as it is.
Words that only its author knows are marked (to be written), which the tests refuse. The picture is drawn with the
embedded GPT unless --model names another.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from reasoner.benchmarks.studies import draw_search_trees
from reasoner.errors import ConfigError
from reasoner.files import save_text
from reasoner.registry import strategies

PAGE = """# {name}

{summary}

The paper, with its link (to be written).

```
the algorithm (to be written)
answer: (to be written)
```

| setting | default | what it does | what it costs |
|---|---|---|---|
{settings}

**When.** (to be written) **When not.** (to be written)

**How ours differs.** (to be written, or left out)

![A tree it grew]({name}.svg)
"""
BLANK = "(to be written)"
"""The mark of what an author has to write."""
ROW = re.compile(r"^\| \[[a-z0-9-]+\]\(.*$", re.MULTILINE)
EXPORTS = re.compile(r"(?<=\n)(    from reasoner\.search\.\w+ import .*\n)+(?=else:)")


def page(name: str) -> str:
    """Return the skeleton of a strategy's page, with a row for each of its settings."""
    settings = "\n".join(
        f"| `{field.name}` | {default(field)} | {BLANK} | {BLANK} |"
        for field in fields(strategies.load(name))
    )
    return PAGE.format(name=name, summary=summary(name), settings=settings)


def summary(name: str) -> str:
    """Return the first paragraph of a strategy's docstring."""
    paragraph = (strategies.load(name).__doc__ or BLANK).partition("\n\n")[0]
    return " ".join(paragraph.split())


def default(field: Field[Any]) -> str:
    """Return the default of a setting, as a page shows it."""
    return "required" if field.default is MISSING else str(field.default)


def indexed(index: str, name: str) -> str:
    """Return the index of pages with a row for `name`, after the last one."""
    if f"[{name}]({name}.md)" in index:
        return index
    *_, last = ROW.finditer(index)
    row = f"\n| [{name}]({name}.md) | {summary(name)} | {BLANK} | {BLANK} |"
    return index[: last.end()] + row + index[last.end() :]


def listed(components: str, name: str) -> str:
    """Return the page of components with `name` at the end of its row of strategies."""
    [row] = re.findall(r"^\| strategies \| .*\|$", components, re.MULTILINE)
    if f"`{name}`" in row:
        return components
    return components.replace(row, f"{row.removesuffix(' |')}, `{name}` |")


def exported(package: str, builtin: Mapping[str, str]) -> str:
    """Return `search/__init__.py` with an import for each strategy, for type checkers."""
    pairs = sorted(value.split(":") for value in builtin.values())
    lines = (f"    from {module} import {name} as {name}\n" for module, name in pairs)
    return EXPORTS.sub("".join(lines), package)


def document(name: str, root: Path, model: Sequence[str] = ()) -> None:
    """Write every place of the repository at `root` that names the strategy, and draw its picture.

    Raises:
        ConfigError: `root` is no checkout, or the strategy is not in the registry.
    """
    package, pages, components = (
        root / "search/__init__.py",
        root / "docs/strategies",
        root / "docs/components.md",
    )
    if not (package.exists() and pages.exists()):
        raise ConfigError(f"{root} is not the repository; change to its root, or name it by --root")
    if name not in strategies.builtin:
        raise ConfigError(f"no built-in strategy {name!r}; add its line to reasoner/registry.py")
    if not (path := pages / f"{name}.md").exists():
        save_text(page(name), path)
    index = pages / "README.md"
    save_text(indexed(index.read_text(), name), index)
    save_text(listed(components.read_text(), name), components)
    save_text(exported(package.read_text(), strategies.builtin), package)
    if not (picture := pages / f"{name}.svg").exists():
        draw_search_trees.main([name, "--out", str(picture), *model])


def main(argv: Sequence[str] | None = None) -> None:
    """Document the strategy that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("strategy")
    parser.add_argument("--model", help="draws the picture (default: the embedded GPT)")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: .)")
    args = parser.parse_args(argv)
    document(args.strategy, args.root, ["--model", args.model] if args.model else [])


if __name__ == "__main__":
    main()
