"""Files: bounded reading, atomic writing, one writer at a time, JSON lines.

Every input is opened and every result is written here. Both must be regular files: a pipe or a device may
never end, and a rename would put a file in its place. A symbolic link is followed: its target is read
or replaced, and the link stays.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Self

from reasoner.errors import ReasonerError, StoreError
from reasoner.printable import one_line, storable

DOCUMENT = 32 * 2**20
"""Largest size of a file that is read as one document, in bytes."""
LINE = 16 * 2**20
"""Largest size of a line, in bytes."""
SHOWN = 100
"""Longest excerpt of a path or a reason in a message, in characters."""
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def shown(path: object) -> str:
    """Return a path for a message: of a long one, its end."""
    text = one_line(str(path))
    return text if len(text) <= SHOWN else f"…{text[-SHOWN:]}"


def clipped(text: object, limit: int = SHOWN) -> str:
    """Return the beginning of `text` in one line, for a message."""
    line = one_line(" ".join(str(text).split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


# -- reading ------------------------------------------------------------------------------------


@contextmanager
def opened(path: Path, hint: str = "") -> Generator[BufferedReader]:
    """Open a regular file for reading.

    Raises:
        StoreError: the file cannot be read; `hint` is the next step.
    """
    with (
        _store_errors("read", path, hint),
        os.fdopen(_open_regular(path, os.O_RDONLY), "rb") as file,
    ):
        yield file


def read_bytes(path: Path, limit: int = DOCUMENT, hint: str = "") -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        StoreError: the file cannot be read, or is larger.
    """
    with opened(path, hint) as file:
        blob = file.read(limit + 1)
    if len(blob) > limit:
        raise StoreError(f"cannot read {shown(path)}: it is larger than {size(limit)}")
    return blob


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, with their ends.

    Raises:
        StoreError: the file cannot be read, or a line is longer than `LINE`.
    """
    with opened(path) as file:
        yield from bounded_lines(file, path)


def bounded_lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield the lines of an open file, with their ends.

    Raises:
        StoreError: a line is longer than `LINE`.
    """
    for number in count(1):
        line = file.readline(LINE + 1)
        if len(line) > LINE:
            raise StoreError(f"{shown(path)}:{number} is longer than {size(LINE)}; split it")
        if not line:
            return
        yield line


def size(count: int) -> str:
    """Return a number of bytes in MiB or KiB."""
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 2**10} KiB"


# -- writing ------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yield the path of a new file beside `path`, which replaces it when the block ends without an error.

    Its suffix is that of `path`. Missing folders are created; a replaced file keeps its mode.

    Raises:
        StoreError: the file cannot be written, or `path` exists and is not a regular file.
    """
    with _store_errors("write", path, "choose another --out"):
        mode = _mode(path)
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{token_hex(8)}.part{target.suffix[-32:]}")
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            yield part
            if mode is not None:
                part.chmod(mode)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def save_text(text: str, path: Path) -> Path:
    """Write a text file atomically; what UTF-8 cannot hold becomes U+FFFD."""
    return save_bytes(storable(text).encode(), path)


def save_bytes(blob: bytes, path: Path) -> Path:
    """Write a file atomically."""
    with replacing(path) as part:
        part.write_bytes(blob)
    return path


def save_json(document: Any, path: Path) -> Path:
    """Write a JSON document atomically."""
    return save_text(json.dumps(document, indent=1) + "\n", path)


def make_folder(path: Path) -> Path:
    """Create a folder and those above it, unless they exist.

    Raises:
        StoreError: the folder cannot be created.
    """
    with _store_errors("write", path, "choose another --out"):
        path.mkdir(parents=True, exist_ok=True)
    return path


# -- one writer at a time ------------------------------------------------------------------------


def locked(path: Path, subject: Path) -> FileIO:
    """Open the file at `path` for appending, and lock it until it is closed or this process ends.

    Raises:
        StoreError: the file cannot be written, or another process uses `subject`, which the lock protects.
    """
    make_folder(path.parent)
    with _store_errors("write", path, "choose another --out"):
        file = FileIO(_open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
    try:
        _lock(file.fileno(), subject)
    except StoreError:
        file.close()
        raise
    return file


def _lock(handle: int, subject: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        raise StoreError(
            f"{shown(subject)} is in use by another process; wait for it or choose another --out"
        ) from e


@contextmanager
def exclusive(folder: Path) -> Generator[None]:
    """Create a folder, and lock it while the context lasts; a new one that stays empty is removed.

    Raises:
        StoreError: the folder cannot be created, or another process has it locked.
    """
    with _store_errors("write", folder, "choose another --out"):
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        make_folder(folder)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)
        with suppress(OSError):
            for path in new:
                path.rmdir()


class Lines:
    """A file of JSON lines opened for appending, by one process at a time, safe against kill -9.

    A write that was killed half-way leaves a line without its newline, which is cut off. `existing` are
    the lines that the file had before.

    Raises:
        StoreError: the file cannot be written, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = locked(path, path)
        try:
            self.existing = whole_lines(path)
            self._file.truncate(sum(map(len, self.existing)))
        except BaseException:
            self._file.close()
            raise

    def append(self, line: str) -> None:
        """Write `line` and a newline in one system call."""
        with _store_errors("write", self.path, "free some space, or choose another --out"):
            os.write(self._file.fileno(), storable(line).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file, without a torn last one.

    Raises:
        StoreError: the file cannot be read.
    """
    return [line for line in read_lines(path) if line.endswith(b"\n")]


# -- checks and errors ----------------------------------------------------------------------------


def require_regular(path: Path, verb: str = "read") -> None:
    """Raise a `StoreError` if `path` exists and is not a regular file, or cannot be examined."""
    with _store_errors(verb, path, "choose another --out" if verb == "write" else ""):
        _mode(path)


def _mode(path: Path) -> int | None:
    """Return the mode of a regular file; None if there is no file."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(about.st_mode):
        raise _special(about.st_mode)
    return stat.S_IMODE(about.st_mode)


def _open_regular(path: Path, flags: int) -> int:
    """Open without blocking; the check comes first, since opening a device can have effects."""
    _mode(path)
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _special(mode)
    return descriptor


def _special(mode: int) -> OSError:
    return OSError(errno.EINVAL, f"it is {KINDS.get(stat.S_IFMT(mode), 'special')}, not a file")


@contextmanager
def _store_errors(verb: str, path: Path, hint: str) -> Generator[None]:
    """Turn errors of the system, and invalid paths, into a `StoreError`."""
    message, step = f"cannot {verb} {shown(path)}: ", f"; {hint}" * bool(hint)
    if "\0" in str(path):
        raise StoreError(f"{message}a path has no NUL character{step}")
    try:
        yield
    except ReasonerError:
        raise
    except (OSError, UnicodeError) as e:
        raise StoreError(f"{message}{getattr(e, 'strerror', None) or e}{step}") from e
