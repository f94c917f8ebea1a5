"""Problems that others wrote: read from a local copy, or from the Hugging Face hub.

`data` is a file (JSON, JSONL, CSV or Parquet; text may be gzipped), a folder with files a split
(`train.jsonl`, `test-00000-of-00001.parquet`), or a name on the hub with its subsets, as in
`openai/gsm8k:main`.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from reasoner.errors import ConfigError

T = TypeVar("T")
Row = Mapping[str, Any]
Rows = Callable[[], Iterable[Row]]

NAMES = {
    "train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test",
}  # fmt: skip
"""What others call the splits."""
SPLIT = re.compile(rf"(?<![a-z])({'|'.join(NAMES)})(?![a-z])", re.IGNORECASE)
HUB = re.compile(r"([\w.-]{1,96}(?:/[\w.-]{1,96})?)(?::([\w.,-]+))?")


def rows(data: str, split: str) -> list[Row]:
    """The problems of one split of `data`, in its order; what is all of one split is the test split.

    Raises:
        ConfigError: there is no such data or no such split, or it cannot be read.
    """
    found = splits(data)
    if split not in found:
        raise ConfigError(f"{data!r} has no split {split!r}; it has {', '.join(found) or 'none'}")
    return list(found[split]())


def splits(data: str) -> dict[str, Rows]:
    """How to read each split of `data`; raises as `rows`."""
    if not data:
        raise ConfigError(
            f"no data is named: give a file ({', '.join(READERS)}) or a data set on the Hugging Face hub,"
            " with --data or as in jsonl(data='problems.jsonl')"
        )
    path = Path(data).expanduser()
    if path.is_file():
        return {"test": partial(read, path)}
    named = HUB.fullmatch(data)
    if path.is_dir():
        found = _folder(path)
    elif named and _suffix(path) not in READERS:
        found = _hub(named[1], (named[2] or "").split(","))
    else:
        raise ConfigError(
            f"no data at {data!r}: name a file ({', '.join(READERS)}), a folder with one a split, or a"
            " data set on the Hugging Face hub, such as openai/gsm8k:main"
        )
    return {"test": found.popitem()[1]} if len(found) == 1 else found


def field(row: Row, *names: str) -> Any:
    """What `row` has under the first of `names` that it has, in upper or lower case.

    Raises:
        ConfigError: it has none of them.
    """
    known = {key.lower(): key for key in row}
    for name in names:
        if (key := name if name in row else known.get(name.lower(), name)) in row:
            return row[key]
    raise ConfigError(
        f"a problem has no field {' or '.join(map(repr, names))}; it has {', '.join(row) or 'none'}"
    )


def drawn(items: Sequence[T], count: int, seed: int) -> list[T]:
    """The first `count` items; in an order of its own for each `seed` but 0."""
    order = list(items)
    if seed:
        Random(seed).shuffle(order)
    return order[:count]


def read(path: Path) -> list[Row]:
    """The rows of a local file.

    Raises:
        ConfigError: it is of no known kind, or is not what its name says.
    """
    reader = READERS.get(_suffix(path))
    if reader is None:
        raise ConfigError(
            f"{str(path)!r} is none of {', '.join(READERS)}; convert it to one of them"
        )
    try:
        found = reader(path)
    except (OSError, ValueError, csv.Error) as e:
        raise ConfigError(f"cannot read {str(path)!r}: {e}") from e
    if not all(isinstance(row, Mapping) for row in found):
        raise ConfigError(f"{str(path)!r} is no list of objects, each a problem with named fields")
    return found


def _folder(path: Path) -> dict[str, Rows]:
    """The files of each split, by what their names say."""
    files = dict[str, list[Path]]()
    for file in sorted(path.iterdir()):
        if _suffix(file) in READERS and (named := SPLIT.search(file.name)):
            files.setdefault(NAMES[named[1].lower()], []).append(file)
    if not files:
        raise ConfigError(f"{str(path)!r} has no file of a split, such as test.jsonl; name a file")
    return {
        split: partial(_joined, [partial(read, f) for f in some]) for split, some in files.items()
    }


def _hub(name: str, subsets: Sequence[str]) -> dict[str, Rows]:
    try:
        hub = import_module("datasets")
    except ImportError:
        raise ConfigError(
            f"there is no file {name!r}, and reading it from the Hugging Face hub needs datasets:"
            " pip install 'reasoner[data]'; offline, name a local copy by data='FILE'"
        ) from None
    try:
        parts = [hub.load_dataset(name, subset or None) for subset in subsets]
    except Exception as e:
        why = str(e).partition("\n")[0]
        raise ConfigError(
            f"cannot read {name!r} from the Hugging Face hub: {why}; offline, name a local copy by data='FILE'"
        ) from e
    return {
        NAMES.get(str(split), str(split)): partial(
            _joined, [partial(list, part[split]) for part in parts]
        )
        for split in parts[0]
    }


def _joined(readings: Iterable[Rows]) -> list[Row]:
    return [row for reading in readings for row in reading()]


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _text(path: Path) -> str:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return content.decode("utf-8-sig")


def _jsonl(path: Path) -> list[Row]:
    found = list[Row]()
    for number, line in enumerate(_text(path).split("\n"), 1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except ValueError as e:
            raise ValueError(f"line {number}: {e}") from e
    return found


def _json(path: Path) -> list[Row]:
    found = json.loads(_text(path))
    return list(found) if isinstance(found, list) else [found]


def _csv(path: Path) -> list[Row]:
    return list(csv.DictReader(StringIO(_text(path), newline="")))


def _parquet(path: Path) -> list[Row]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            f"reading {str(path)!r} needs pyarrow: pip install 'reasoner[data]'"
        ) from None
    found: list[Row] = parquet.read_table(path).to_pylist()
    return found


READERS: dict[str, Callable[[Path], list[Row]]] = {
    ".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet,
}  # fmt: skip
