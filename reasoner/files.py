"""Files: bounded reading, writing that is whole or not at all, one writer at a time, JSON lines.

Every input is opened and every result is written here. Both are regular files: a pipe or a device may
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
from contextlib import contextmanager
from io import BufferedReader, FileIO
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Self

from reasoner.errors import ReasonerError, StoreError
from reasoner.printable import one_line, storable

DOCUMENT = 32 * 2**20
"""The most bytes of a file that is read as one document."""
LINE = 16 * 2**20
"""The most bytes of a line."""
SHOWN = 100
"""The most characters that a message has of a path or a reason."""
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def shown(path: object) -> str:
    """A path as messages have it: the end of a long one."""
    text = one_line(str(path))
    return text if len(text) <= SHOWN else f"…{text[-SHOWN:]}"


def clipped(text: object, limit: int = SHOWN) -> str:
    """The beginning of `text` in one line, as messages have it."""
    line = one_line(" ".join(str(text).split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


# -- reading ------------------------------------------------------------------------------------


@contextmanager
def opened(path: Path, hint: str = "") -> Generator[BufferedReader]:
    """A regular file, open for reading.

    Raises:
        StoreError: it cannot be read; `hint` is the next step.
    """
    with _failing("read", path, hint), os.fdopen(_open_regular(path, os.O_RDONLY), "rb") as file:
        yield file


def read_bytes(path: Path, limit: int = DOCUMENT, hint: str = "") -> bytes:
    """The content of a file of at most `limit` bytes.

    Raises:
        StoreError: it cannot be read, or is larger.
    """
    with opened(path, hint) as file:
        blob = file.read(limit + 1)
    if len(blob) > limit:
        raise StoreError(f"cannot read {shown(path)}: it is larger than {size(limit)}")
    return blob


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, with their ends.

    Raises:
        StoreError: it cannot be read, or a line is longer than `LINE`.
    """
    with opened(path) as file:
        yield from bounded_lines(file, path)


def bounded_lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """The lines of an open file, with their ends.

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
    """Bytes as people say them."""
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 2**10} KiB"


# -- writing ------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A new file in the folder of `path`, which takes its place when the block ends well.

    Its suffix is that of `path`. Folders above are made; a file that is replaced keeps its mode.

    Raises:
        StoreError: it cannot be written, or `path` exists and is not a regular file.
    """
    with _failing("write", path, "choose another --out"):
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
    """Write a file, whole or not at all; what UTF-8 cannot hold becomes U+FFFD."""
    return save_bytes(storable(text).encode(), path)


def save_bytes(blob: bytes, path: Path) -> Path:
    """Write a file, whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(blob)
    return path


def save_json(document: Any, path: Path) -> Path:
    """Write a document, whole or not at all."""
    return save_text(json.dumps(document, indent=1) + "\n", path)


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, where there is none.

    Raises:
        StoreError: there is none and none can be made.
    """
    with _failing("write", path, "choose another --out"):
        path.mkdir(parents=True, exist_ok=True)
    return path


# -- one writer at a time ------------------------------------------------------------------------


def locked(path: Path, what: Path) -> FileIO:
    """The file at `path`, opened for appending and locked until it is closed, or its process ends.

    Raises:
        StoreError: it cannot be written, or another process has `what` it stands for in use.
    """
    make_folder(path.parent)
    with _failing("write", path, "choose another --out"):
        file = FileIO(_open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.close()
        raise StoreError(
            f"{shown(what)} is in use by another process; wait for it or choose another --out"
        ) from e
    return file


class Lines:
    """A file of JSON lines opened for appending, by one process at a time, safe against kill -9.

    A write that was killed half-way leaves a line without its newline: it was never done, and is cut
    off. `found` are the lines that were there.

    Raises:
        StoreError: the file cannot be written, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = locked(path, path)
        try:
            self.found = whole_lines(path)
            self._file.truncate(sum(map(len, self.found)))
        except BaseException:
            self._file.close()
            raise

    def append(self, line: str) -> None:
        """Write `line` and a newline in one system call."""
        with _failing("write", self.path, "free some space, or choose another --out"):
            os.write(self._file.fileno(), storable(line).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file, one that was torn left out.

    Raises:
        StoreError: it cannot be read.
    """
    return [line for line in read_lines(path) if line.endswith(b"\n")]


# -- what they rest on ----------------------------------------------------------------------------


def require_regular(path: Path, verb: str = "read") -> None:
    """Raise a `StoreError` where `path` exists and is not a regular file, or cannot be looked at."""
    with _failing(verb, path, "choose another --out" if verb == "write" else ""):
        _mode(path)


def _mode(path: Path) -> int | None:
    """The mode of a regular file; None where there is none."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(about.st_mode):
        raise _special(about.st_mode)
    return stat.S_IMODE(about.st_mode)


def _open_regular(path: Path, flags: int) -> int:
    """Open without waiting for anybody at the other end; looked at before, for opening may do something."""
    _mode(path)
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _special(mode)
    return descriptor


def _special(mode: int) -> OSError:
    return OSError(errno.EINVAL, f"it is {KINDS.get(stat.S_IFMT(mode), 'special')}, not a file")


@contextmanager
def _failing(verb: str, path: Path, hint: str) -> Generator[None]:
    """Errors of the system, and of paths that it cannot have, as ours."""
    message, step = f"cannot {verb} {shown(path)}: ", f"; {hint}" * bool(hint)
    if "\0" in str(path):
        raise StoreError(f"{message}a path has no NUL character{step}")
    try:
        yield
    except ReasonerError:
        raise
    except (OSError, UnicodeError) as e:
        raise StoreError(f"{message}{getattr(e, 'strerror', None) or e}{step}") from e
