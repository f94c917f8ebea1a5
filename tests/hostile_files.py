"""Hostile files: what no reader can take, and what must not be read or written at all."""

from __future__ import annotations

import gzip
import json
import os
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

MIB = 2**20
Write = Callable[[Path], object]


def _blob(content: bytes) -> Write:
    return lambda path: path.write_bytes(content)


def _long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b'{"id": "')
        for _ in range(100):
            file.write(b"x" * MIB)
        file.write(b'"}')


def _socket(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.close()


def _into_a_loop(path: Path) -> None:
    loop = path.with_name("loop")
    loop.symlink_to(loop)
    path.symlink_to(loop / "file")


def _to_a_pipe(path: Path) -> None:
    pipe = path.with_name("the-pipe")
    os.mkfifo(pipe)
    path.symlink_to(pipe)


SPECIAL: dict[str, Write] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "folder": Path.mkdir,
    "link to zeros": lambda path: path.symlink_to("/dev/zero"),
    "link to noise": lambda path: path.symlink_to("/dev/random"),
    "link to full": lambda path: path.symlink_to("/dev/full"),
    "link loop": lambda path: path.symlink_to(path),
    "link into a loop": _into_a_loop,
    "link to a pipe": _to_a_pipe,
}
"""In the place of a file."""

NOT_JSON: dict[str, Write] = {
    "nothing": _blob(b""),
    "zeros": _blob(b"\0" * 1000),
    "noise": _blob(bytes(range(256)) * 8),
    "UTF-16": _blob('{"id": 1}'.encode("utf-16")),
    "UTF-16 BE": _blob('{"id": 1}'.encode("utf-16-be")),
    "UTF-32": _blob('{"id": 1}'.encode("utf-32")),
    "bad UTF-8": _blob(b'{"id": "\xff\xfe"}'),
    "encoded surrogate": _blob(b'{"id": "\xed\xa0\x80"}'),
    "deep arrays": _blob(b"[" * 300_000),
    "deep closed arrays": _blob(b"[" * 50_000 + b"]" * 50_000),
    "deep objects": _blob(b'{"id":' * 100_000),
    "long line": _long_line,
    "giant integer": _blob(b'{"id": ' + b"9" * 5000 + b"}"),
    "huge integer": _blob(b'{"id": ' + b"9" * 5_000_000 + b"}"),
    "infinity": _blob(b'{"id": 1e999}'),
    "Infinity": _blob(b'{"id": -Infinity}'),
    "NaN": _blob(b'{"id": NaN}'),
    "equal fields": _blob(b'{"id": 1, "id": 2}'),
    "array": _blob(b"[1, 2]"),
    "number": _blob(b"7"),
    "text": _blob(b'"x"'),
    "null": _blob(b"null"),
    "torn": _blob(b'{"id": "a'),
    "carriage returns": _blob(b'{"id": 1}\r{"id": 2}\r'),
    "control character": _blob(b'{"id": "a\x01b"}'),
    "many values": _blob(b'{"id": [' + b"0," * 2_000_000 + b"0]}"),
    "many objects": _blob(b"[" + b"{}," * 1_500_000 + b"{}]"),
    "pickle": _blob(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."),
    "database": lambda path: database(path, "CREATE TABLE t (x)"),
    "gzip": _blob(gzip.compress(b'{"id": 1}')),
    "HTML": _blob(b"<!DOCTYPE html><script>alert(1)</script>"),
    "escapes": _blob(b"\x1b]0;title\x07\x1b[2J" * 20),
}
"""Files that no reader of JSON accepts, as a document or as lines."""

YAML: dict[str, Write] = {
    "laughs": _blob(
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            f"{c}: &{c} [{','.join(['*' + chr(ord(c) - 1)] * 9)}]\n".encode() for c in "bcdefghij"
        )
    ),
    "quadratic": _blob(b"a: &a " + b"x" * 30_000 + b"\nb: [" + b"*a," * 8_000 + b"*a]\n"),
    "recursive": _blob(b"task: &a [*a]\n"),
    "merge": _blob(b"a: &a {task: countdown}\n<<: *a\n"),
    "deep flow": _blob(b"task: " + b"[" * 30_000),
    "deep flow maps": _blob(b"task: " + b"{a: " * 10_000),
    "deep blocks": _blob(b"task: " + b"- " * 30_000 + b"x"),
    "large": _blob(b"# " + b"x" * 70_000 + b"\ntask: countdown\n"),
    "long line": _long_line,
    "giant integer": _blob(b"seed: " + b"9" * 5000),
    "giant hexadecimal": _blob(b"seed: 0x" + b"f" * 50_000),
    "giant octal": _blob(b"problems: 0" + b"7" * 50_000),
    "sexagesimal": _blob(b"seed: 1" + b":59" * 15_000),
    "equal fields": _blob(b"task: countdown\ntask: dagmath\n"),
    "not a date": _blob(b"task: 2001-99-99\n"),
    "date": _blob(b"task: 2001-09-09\n"),
    "infinity": _blob(b"seed: .inf\n"),
    "NaN": _blob(b"problems: .nan\n"),
    "list as field": _blob(b"? [a, b]\n: c\n"),
    "map as task": _blob(b"task: {a: b}\n"),
    "null task": _blob(b"task: ~\n"),
    "no tasks": _blob(b"task: []\n"),
    "no sizes": _blob(b"n: []\n"),
    "set": _blob(b"task: !!set {a, b}\n"),
    "bytes": _blob(b"task: !!binary aGVsbG8=\n"),
    "python": _blob(b"task: !!python/object/apply:os.system [id]\n"),
    "own tag": _blob(b"task: !mine x\n"),
    "two documents": _blob(b"task: countdown\n---\ntask: dagmath\n"),
    "tabs": _blob(b"task:\n\t- countdown\n"),
    "zeros": _blob(b"\0" * 1000),
    "noise": _blob(bytes(range(256))),
    "bad UTF-8": _blob(b"task: \xff\xfe\n"),
    "UTF-16": _blob("task: countdown\n".encode("utf-16")),
    "nothing": _blob(b""),
    "list": _blob(b"[1, 2]\n"),
    "NUL in a path": _blob(b'task: countdown\nmodel: scripted\nout: "a\\0b"\n'),
    "surrogate in a name": _blob(b'task: "\\ud800"\n'),
    "surrogate in a field": _blob(b'"\\ud800": 1\n'),
    "device as out": _blob(b"task: countdown\nmodel: scripted\nout: /dev/full\n"),
    "escapes": _blob(b'task: "\\e]0;x\\a"\n'),
    "long field": _blob(b"x" * 900 + b": 1\n"),
    "long value": _blob(b"verifier: " + b"x" * 30_000 + b"\n"),
    "unclosed": _blob(b"task: {a: [b\n"),
    "alias of nothing": _blob(b"task: *nobody\n"),
}
"""Files that are no spec of a run."""


def gzip_bomb(path: Path) -> None:
    """A gigabyte of one line, in a megabyte; a file may hold many parts, so one is compressed once."""
    path.write_bytes(gzip.compress(b'{"q": "') + 1024 * gzip.compress(b"x" * MIB))


def gzip_rows(path: Path) -> None:
    """Three hundred million bytes of short rows."""
    path.write_bytes(300 * gzip.compress(b"{}\n" * (MIB // 3), compresslevel=1))


def database(path: Path, *statements: str, version: int = 0) -> None:
    """An SQLite database that these statements make."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")


def safetensors(header: bytes, length: int | None = None) -> bytes:
    """Weights with this header, which says that it is `length` bytes long."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header


def config(**changes: object) -> bytes:
    """A small model's configuration."""
    fields: dict[str, object] = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 64,
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "head_dim": 32,
        "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 64,
    }  # fmt: skip
    return json.dumps({**fields, **changes}).encode()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name: messages show names, and have 300 characters."""
    with tempfile.TemporaryDirectory(prefix="h") as name:
        yield Path(name)


def contents(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder, by its place in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else oct(path.lstat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


# -- runs ---------------------------------------------------------------------------------------


def _changed(*statements: str) -> Write:
    """The database of a run, after these statements."""

    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                connection.execute(statement)

    return change


def _overwritten(start: int, content: bytes) -> Write:
    def change(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(content)

    return change


def _instead(write: Write) -> Write:
    def change(path: Path) -> None:
        path.unlink()
        write(path)

    return change


COPY = "CREATE TABLE other AS SELECT * FROM records"
RECORD = "UPDATE records SET record = "
DATABASES: dict[str, Write] = {
    **{name: _instead(write) for name, write in SPECIAL.items()},
    **{name: _instead(_blob(content)) for name, content in {
        "noise": bytes(range(256)) * 64,
        "zeros": b"\0" * 8192,
        "text": b"no database",
        "header alone": b"SQLite format 3\0",
        "torn header": b"SQLite format 3\0" + bytes(84),
        "gzip": gzip.compress(b"x"),
    }.items()},
    "of another program": _instead(lambda path: database(path, "CREATE TABLE moz_places (url)")),
    "of another program, version 1": _instead(
        lambda path: database(path, "CREATE TABLE moz_places (url)", version=1)
    ),
    "newer": _changed("PRAGMA user_version = 2"),
    "negative version": _changed("PRAGMA user_version = -1"),
    "no version": _changed("PRAGMA user_version = 0"),
    "view": _changed(
        COPY, "DROP TABLE records", "CREATE VIEW records AS SELECT key, problem, place, error,"
        " record FROM other"
    ),
    "endless view": _changed(
        "DROP TABLE records",
        "CREATE VIEW records AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT '' AS key, '' AS problem, i AS place, NULL AS error, '' AS record FROM n",
    ),
    "missing table": _changed("DROP TABLE records"),
    "missing column": _changed("ALTER TABLE records DROP COLUMN place"),
    "renamed column": _changed("ALTER TABLE records RENAME COLUMN record TO r"),
    "other types": _changed(
        "DROP TABLE records", "CREATE TABLE records (key INT, problem INT, place TEXT, error, record)"
    ),
    "virtual table": _changed("DROP TABLE records", "CREATE VIRTUAL TABLE records USING fts5(key)"),
    "record is a blob": _changed(f"{RECORD} x'fffe00'"),
    "record is a number": _changed(f"{RECORD} 7"),
    "record is null": _changed(f"{RECORD} NULL"),
    "record is not UTF-8": _changed(f"{RECORD} CAST(x'fffefd' AS TEXT)"),
    "record is empty": _changed(f"{RECORD} ''"),
    "record is another object": _changed(f"{RECORD} '{{}}'"),
    "record is deep": _changed(f"{RECORD} replace(hex(zeroblob(100000)), '00', '[')"),
    "record is giant": _changed(f"{RECORD} zeroblob(80000000) WHERE rowid < 3"),
    "record has a giant integer": _changed(
        f"{RECORD} json_set(record, '$.index', json('1' || replace(hex(zeroblob(4000)), '00', '0')))"
    ),
    "record has a large integer": _changed(
        f"{RECORD} replace(record, '\"tokens\":', '\"tokens\":1' || replace(hex(zeroblob(400)), '00', '0'))"
    ),
    "record has negative tokens": _changed(f"{RECORD} replace(record, '\"tokens\":', '\"tokens\":-1')"),
    "record has infinite cost": _changed(
        f"{RECORD} replace(record, '\"generated_tokens\":', '\"generated_tokens\":9e99')"
        ",record = replace(record, '\"generated_tokens\":', '\"generated_tokens\":9e999,\"x\":')"
    ),
    "record has no number as cost": _changed(
        f"{RECORD} replace(record, '\"generated_tokens\":', '\"generated_tokens\":NaN,\"x\":')"
    ),
    "record of another field": _changed(f"{RECORD} json_set(record, '$.more', 1)"),
    "record has a lone surrogate": _changed(f"{RECORD} replace(record, '\"problem\":\"', '\"problem\":\"\\u')"),
    "environment is no object": _changed("UPDATE specs SET environment = '[]'"),
    "environment is null": _changed("UPDATE specs SET environment = NULL"),
    "other schema": _changed("UPDATE specs SET schema_version = 99"),
    "schema is text": _changed("UPDATE specs SET schema_version = 'one'"),
    "schema is null": _changed("UPDATE specs SET schema_version = NULL"),
    "torn page": _overwritten(4096, b"\xff" * 8192),
    "odd page size": _overwritten(16, b"\x00\x07"),
    "truncated": lambda path: os.truncate(path, 5000),
}  # fmt: skip
"""In the place of the database of a run."""

TREES: dict[str, Write] = {
    "no text": _changed("UPDATE trees SET tree = x'00'"),
    "no tree": _changed("UPDATE trees SET tree = '[]'"),
    "no root": _changed("UPDATE trees SET tree = replace(tree, 'null', '0')"),
    "loop": _changed("UPDATE trees SET tree = replace(tree, '\"parent\":0', '\"parent\":99')"),
    "deep": _changed("UPDATE trees SET tree = replace(hex(zeroblob(100000)), '00', '[')"),
    "no pieces": _changed("UPDATE trees SET tree = json_set(tree, '$.pieces', json('[]'))"),
}
"""In the place of the trees of a search."""


def _grid(**changes: object) -> Write:
    """The grid of a run with other fields."""
    return lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


GRIDS: dict[str, Write] = {
    **{name: _instead(write) for name, write in {**SPECIAL, **NOT_JSON}.items()},
    "no tasks": _grid(tasks=[]),
    "tasks are text": _grid(tasks="countdown"),
    "a task is null": _grid(tasks=[None]),
    "no sizes": _grid(ns=[]),
    "size of zero": _grid(ns=[0]),
    "negative size": _grid(ns=[-1]),
    "giant size": _grid(ns=[10**400]),
    "size is text": _grid(ns=["many"]),
    "size is half": _grid(ns=[1.5]),
    "own sizes": _grid(own_ns={"beam": [0]}),
    "unknown strategy": _grid(strategies=["no-such"]),
    "wrong setting": _grid(strategies=["beam(no=1)"]),
    "strategy of brackets": _grid(strategies=["beam" + "(" * 5000]),
    "unknown field": _grid(more=1),
    "negative problems": _grid(problems=-1),
    "sampling": _grid(sampling={"countdown": {"n": "x"}}),
    "budget": _grid(budgets=[{"tokens": "x"}]),
    "budget is no object": _grid(budgets=[1]),
    "seed": _grid(seed=[]),
    "command": _grid(command=1),
}
"""In the place of the grid of a run."""

USES: dict[str, Write] = {
    **SPECIAL,
    **NOT_JSON,
    "no tokens": _blob(b'[{"tokens": 0, "seconds": 1, "peak": 1, "window": 1}]'),
    "no seconds": _blob(b'[{"tokens": 1, "seconds": 0, "peak": 1, "window": 1}]'),
    "no fields": _blob(b"[{}]"),
    "giant tokens": _blob(b'[{"tokens": 1' + b"0" * 400 + b', "seconds": 1, "peak": 1, "window": 1}]'),
}  # fmt: skip
"""In the place of what a run tells of its engine."""
