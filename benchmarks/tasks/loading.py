"""Data sets of problems, read from a local copy or from the Hugging Face hub.

`data` is a file (JSON, JSONL, CSV or Parquet; text may be gzipped), a folder with files for each split
(`train.jsonl`, `test-00000-of-00001.parquet`), or a name on the hub with its subsets, as in
`openai/gsm8k:main`.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from io import BufferedReader
from itertools import islice
from pathlib import Path
from random import Random
from typing import IO, Any, TypeVar, cast

from reasoner.documents import BOM, Malformed, parse_json
from reasoner.errors import ConfigError, StoreError
from reasoner.extras import needed_by
from reasoner.files import DOCUMENT, bounded_lines, clipped, opened, require_regular, shown, size
from reasoner.messages import Messages, parse_messages

T = TypeVar("T")
Row = Mapping[str, Any]
ReadRows = Callable[[], Iterable[Row]]

NAMES = {
    "train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test",
}  # fmt: skip
"""Our names of the splits, by the names that data sets use."""
SPLIT = re.compile(rf"(?<![a-z])({'|'.join(NAMES)})(?![a-z])", re.IGNORECASE)
ROWS = 250_000
"""The most problems of a file."""
UNPACKED = 256 * 2**20
"""The most bytes that a compressed file may unpack to."""
HUB = re.compile(r"([\w.-]{1,96}(?:/[\w.-]{1,96})?)(?::([\w.,-]+))?")


def rows(data: str, split: str) -> list[Row]:
    """Return the problems of a split of `data`, in its order; data with a single split is the test split.

    Raises:
        ConfigError: there is no such data or no such split, or it cannot be read.
    """
    readings = splits(data)
    if split not in readings:
        raise ConfigError(
            f"{data!r} has no split {split!r}; it has {', '.join(readings) or 'none'};"
            " name one of these, on the command line with --split"
        )
    return list(readings[split]())


def splits(data: str) -> dict[str, ReadRows]:
    """Return the reader of each split of `data`; raise as `rows` does."""
    if not data:
        raise ConfigError(
            f"no data is named: give a file ({', '.join(READERS)}) or a data set on the Hugging Face hub,"
            " with --data or as in jsonl(data='problems.jsonl')"
        )
    path = Path(os.path.expanduser(data))
    named = HUB.fullmatch(data)
    if os.path.isdir(path):
        readings = _folder(path)
    elif os.path.exists(path):
        return {"test": partial(read_rows, path)}
    elif named and _suffix(path) not in READERS:
        readings = _hub(named[1], (named[2] or "").split(","))
    else:
        raise ConfigError(
            f"no data at {clipped(data)!r}: name a file ({', '.join(READERS)}), a folder with one per split, or a"
            " data set on the Hugging Face hub, such as openai/gsm8k:main"
        )
    return {"test": readings.popitem()[1]} if len(readings) == 1 else readings


def field(row: Row, *names: str) -> Any:
    """Return the value of the first of `names` that `row` has, ignoring case.

    Raises:
        ConfigError: the row has none of them.
    """
    known = {key.lower(): key for key in row}
    for name in names:
        if (key := name if name in row else known.get(name.lower(), name)) in row:
            return row[key]
    raise ConfigError(
        f"a problem has no field {' or '.join(map(repr, names))}; it has"
        f" {clipped(', '.join(row)) or 'none'}"
    )


def text(row: Row, *names: str) -> str:
    """Return the text or number of the first of `names` that `row` has, as text.

    Raises:
        ConfigError: the row has none of them, or a value of another type.
    """
    value = field(row, *names)
    if not isinstance(value, str | int | float):
        raise ConfigError(
            f"a problem has {clipped(repr(value), 40)} as {' or '.join(map(repr, names))}, which is"
            " neither text nor a number; name another field"
        )
    return str(value)


def conversation(row: Row, name: str) -> Messages:
    """Return the conversation in a field of `row`: a list of messages, or JSON text of one.

    Raises:
        ConfigError: the row has no such field, or no conversation in it.
    """
    value = field(row, name)
    try:
        return parse_messages(parse_json(value.encode()) if isinstance(value, str) else value)
    except (Malformed, ConfigError) as e:
        raise ConfigError(f"field {name!r} of a problem is no conversation: {clipped(e)}") from e


def shuffled(items: Sequence[T], count: int, seed: int) -> list[T]:
    """Return the first `count` items, after shuffling by any `seed` other than 0."""
    order = list(items)
    if seed:
        Random(seed).shuffle(order)
    return order[:count]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a local file.

    Raises:
        ConfigError: the file's type is unknown, or its content is not of that type.
    """
    reader = READERS.get(_suffix(path))
    if reader is None:
        raise ConfigError(
            f"{shown(path)!r} is none of {', '.join(READERS)}; convert it to one of them"
        )
    try:
        content = list(islice(reader(path), ROWS + 1))
    except StoreError as e:
        raise ConfigError(str(e)) from e
    except ConfigError:
        raise
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as e:
        raise ConfigError(f"cannot read {shown(path)!r}: {clipped(e)}") from e
    if len(content) > ROWS:
        raise ConfigError(f"{shown(path)!r} has more than {ROWS:,} problems; split it")
    if not all(isinstance(row, Mapping) for row in content):
        raise ConfigError(
            f"{shown(path)!r} is no list of objects, each a problem with named fields"
        )
    return content


def _folder(path: Path) -> dict[str, ReadRows]:
    """Return the reader of each split, whose files have its name in theirs."""
    files = dict[str, list[Path]]()
    try:
        listed = sorted(path.iterdir())
    except OSError as e:
        raise ConfigError(f"cannot read {shown(path)!r}: {e.strerror}") from e
    for file in listed:
        if _suffix(file) in READERS and (named := SPLIT.search(file.name)):
            files.setdefault(NAMES[named[1].lower()], []).append(file)
    if not files:
        raise ConfigError(
            f"{shown(path)!r} has no file of a split, such as test.jsonl; name a file"
        )
    return {
        split: partial(_joined, [partial(read_rows, f) for f in some])
        for split, some in files.items()
    }


def _hub(name: str, subsets: Sequence[str]) -> dict[str, ReadRows]:
    user = f"there is no file {name!r}, and reading it from the Hugging Face hub"
    with needed_by(user, "offline, name a local copy by data='FILE'"):
        hub = import_module("datasets")
    try:
        parts = [hub.load_dataset(name, subset or None) for subset in subsets]
    except Exception as e:
        why = clipped(str(e).partition("\n")[0])
        raise ConfigError(
            f"cannot read {clipped(name)!r} from the Hugging Face hub: {why}; offline, name a local copy by data='FILE'"
        ) from e
    return {
        NAMES.get(str(split), str(split)): partial(
            _joined, [partial(list, part[split]) for part in parts]
        )
        for split in parts[0]
    }


def _joined(readings: Iterable[ReadRows]) -> list[Row]:
    return [row for reading in readings for row in reading()]


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a text file, which may be gzipped."""
    with opened(path) as file, _unpacked(path, file) as content:
        total = 0
        for line in bounded_lines(content, path):
            if (total := total + len(line)) > UNPACKED and content is not file:
                raise ConfigError(
                    f"{shown(path)!r} unpacks to more than {size(UNPACKED)}; split it"
                )
            yield line.removeprefix(BOM)


def _unpacked(path: Path, file: BufferedReader) -> IO[bytes]:
    packed = path.suffix.lower() == ".gz"
    return cast(IO[bytes], gzip.GzipFile(fileobj=file) if packed else file)


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        try:
            if line.strip():
                yield parse_json(line)
        except Malformed as e:
            raise ValueError(f"line {number}: {e}") from e


def _json(path: Path) -> list[Row]:
    with opened(path) as file, _unpacked(path, file) as content:
        blob = content.read(DOCUMENT + 1)
    if len(blob) > DOCUMENT:
        raise ValueError(f"it is larger than {size(DOCUMENT)}; make it JSON lines")
    document = parse_json(blob)
    return list(document) if isinstance(document, list) else [document]


def _csv(path: Path) -> Iterator[Row]:
    for number, row in enumerate(csv.DictReader(line.decode() for line in _lines(path)), 2):
        if None in row:
            raise ValueError(f"row {number} has more fields than the first, which names them")
        yield row


def _parquet(path: Path) -> list[Row]:
    with needed_by(f"reading {shown(path)!r}"):
        parquet = import_module("pyarrow.parquet")
    require_regular(path)
    try:
        with parquet.ParquetFile(path) as file:
            about = file.metadata
            groups = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
            if about.num_rows > ROWS or sum(groups) > UNPACKED:
                raise ConfigError(
                    f"{shown(path)!r} unpacks to more than {size(UNPACKED)}; split it"
                )
            records: list[Row] = file.read().to_pylist()
    except (ArithmeticError, LookupError, NotImplementedError, TypeError) as e:
        raise ValueError(str(e)) from e
    return records


READERS: dict[str, Callable[[Path], Iterable[Row]]] = {
    ".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet,
}  # fmt: skip
