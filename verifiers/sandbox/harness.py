"""Runs inside two sandboxes: a unit test in one, the program it tests in the other.

Two pipes join them, and only plain values pass: None, bool, int, float, complex, str, bytes, and
list, tuple, set, frozenset and dict of these. The test asks for a function by name, with plain
arguments, and gets a plain value or the name of an exception. Nothing that the program sends names
a class, a module or code, so a program that takes over its end of the pipes can still send plain
values only.

A value is written as a header `kind size` and a newline, then `size` bytes of an atom or `size`
values of a container; a dict is a list of its keys and values in turn.

Python's start is most of what a test costs, so this file imports next to nothing.
"""

from __future__ import annotations

import builtins
import faulthandler
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType
    from typing import Any, BinaryIO, NoReturn

DEPTH = 100
"""Containers in one another, at most."""
LONGEST = 2**22
"""Bytes of a message, at most."""
HEADER = 24
"""Bytes of a header, at most."""

# -- plain values ---------------------------------------------------------------------------------


class NotPlain(Exception):
    """A value of another type than those that may pass."""


class Malformed(Exception):
    """Bytes that are no value, or a value that is too deep or too long."""


ATOMS: dict[type[Any], tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    type(None): (lambda value: b"", lambda text: None),
    bool: (lambda value: b"%d" % value, lambda text: text == b"1"),
    int: (lambda value: b"%x" % value, lambda text: int(text, 16)),
    float: (lambda value: float.__repr__(value).encode(), float),
    complex: (lambda value: complex.__repr__(value).encode(), lambda text: complex(text.decode())),
    str: (
        lambda value: str.encode(value, "utf8", "surrogatepass"),
        lambda text: text.decode("utf8", "surrogatepass"),
    ),
    bytes: (bytes, bytes),
}
"""How each is written and read. Hexadecimal integers need no quadratic time, however long."""
CONTAINERS: tuple[type[Any], ...] = (list, tuple, set, frozenset, dict)
READERS = {kind.__name__.encode(): read for kind, (_, read) in ATOMS.items()}
BUILDERS = {kind.__name__.encode(): kind for kind in CONTAINERS}


def encode(value: Any) -> bytes:
    """Write a value; one of a subclass loses its class.

    Raises:
        NotPlain: a part of it has another type.
        Malformed: it is too deep, or too long.
    """
    parts = list[bytes]()
    length = 0
    for part in _written(value, DEPTH):
        length += len(part)
        if length > LONGEST:
            raise Malformed(f"a value of more than {LONGEST} bytes")
        parts.append(part)
    return b"".join(parts)


def _written(value: Any, depth: int) -> Iterator[bytes]:
    for kind, (write, _) in ATOMS.items():
        if isinstance(value, kind):
            text = write(value)
            yield b"%s %d\n" % (kind.__name__.encode(), len(text))
            yield text
            return
    for kind in CONTAINERS:
        if isinstance(value, kind):
            if not depth:
                raise Malformed(f"a value more than {DEPTH} containers deep")
            # By the built-in's own methods, whatever a subclass makes of them.
            items = list(kind.items(value) if kind is dict else kind.__iter__(value))
            yield b"%s %d\n" % (kind.__name__.encode(), len(items))
            for item in (part for pair in items for part in pair) if kind is dict else items:
                yield from _written(item, depth - 1)
            return
    raise NotPlain(f"{type(value).__name__} is not plain data")


def decode(data: bytes) -> Any:
    """Read a value, of exact built-in types.

    Raises:
        Malformed: the bytes are no value.
    """
    try:
        value, end = _read(data, 0, DEPTH)
    except (ValueError, TypeError, OverflowError) as error:
        raise Malformed(str(error)) from None
    if end != len(data):
        raise Malformed("more than one value")
    return value


def _read(data: bytes, start: int, depth: int) -> tuple[Any, int]:
    """Read the value that begins at `start`; return it and where it ends."""
    end = data.find(b"\n", start, start + HEADER)
    name, _, digits = data[start:end].partition(b" ")
    if end < 0 or not digits.isdigit():
        raise Malformed("no header")
    start, size = end + 1, int(digits)
    if name in READERS:
        if start + size > len(data):
            raise Malformed("less than its header says")
        return READERS[name](data[start : start + size]), start + size
    if name not in BUILDERS or not depth:
        raise Malformed("an unknown kind, or too deep")
    items: list[Any] = []
    for _ in range(2 * size if name == b"dict" else size):
        item, start = _read(data, start, depth - 1)
        items.append(item)
    if name == b"dict":
        return dict(zip(items[::2], items[1::2], strict=True)), start
    return BUILDERS[name](items), start


class Channel:
    """One end of two pipes; a message on them is four bytes of length, and a value."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO) -> None:
        self._reads, self._writes = reads, writes

    def send(self, value: Any) -> None:
        """Write a value."""
        data = encode(value)
        self._writes.write(len(data).to_bytes(4, "big") + data)
        self._writes.flush()

    def receive(self) -> Any:
        """Read a value.

        Raises:
            EOFError: the other end is closed.
            Malformed: it sent something else.
        """
        length = int.from_bytes(self._exactly(4), "big")
        if length > LONGEST:
            raise Malformed(f"a value of {length} bytes")
        return decode(self._exactly(length))

    def _exactly(self, size: int) -> bytes:
        data = self._reads.read(size)
        if len(data) < size:
            raise EOFError
        return data


# -- the sandbox of the test ----------------------------------------------------------------------

ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, Exception,
        FloatingPointError, ImportError, IndexError, KeyError, LookupError, MemoryError, NameError,
        NotImplementedError, OSError, OverflowError, RecursionError, ReferenceError, RuntimeError,
        SyntaxError, TypeError, UnicodeError, ValueError, ZeroDivisionError,
    )
}  # fmt: skip
"""The exceptions of a program that a test can catch.

`StopIteration` is none of them: it would end a loop of the test over what it still has to check.
"""


class ProgramError(Exception):
    """Any other exception of a program."""


class Judge:
    """A test's side of the channel; the test ends, failed, with anything but a plain answer."""

    def __init__(self, channel: Channel, report: int, nonce: str) -> None:
        self._channel, self._report, self._nonce = channel, report, nonce

    def end(self, verdict: str) -> NoReturn:
        """Report a verdict, with the word that shows whose it is."""
        os.write(self._report, f"{self._nonce} {verdict}".encode(errors="replace"))
        os._exit(0)

    def receive(self) -> Any:
        """Read what the program sends; no test can catch that it is not plain, or nothing."""
        try:
            return self._channel.receive()
        except BaseException:
            os._exit(1)

    def ask(self, *request: Any) -> Any:
        """Send a request, and read the answer."""
        try:
            self._channel.send(request)
        except NotPlain as error:
            self.end(f"unusable: it passes an argument that is not plain data ({error})")
        except BaseException:
            os._exit(1)
        return self.receive()

    def proxy(self, name: str) -> Callable[..., Any]:
        """Make a function that has the program call its function of this name."""

        def function(*args: Any, **named: Any) -> Any:
            match self.ask(name, args, named):
                case ("return", value, dict() as changed):
                    restore({**dict(enumerate(args)), **named}, changed)
                    return value
                case ("raise", str(kind), str(text)):
                    raise ERRORS.get(kind, ProgramError)(text)
                case _:
                    os._exit(1)

        return function

    def run(self, test: str, entry_point: str | None, seconds: float) -> None:
        """Run a test; raises whatever is wrong with the program."""
        code = self._compiled(test)
        self.receive()  # The program's process is there; its program has not begun.
        faulthandler.dump_traceback_later(seconds, exit=True)
        offered = [name for name in self.receive() if isinstance(name, str)]
        wanted = [entry_point] if entry_point else free_names(code)
        space: dict[str, Any] = {name: self.proxy(name) for name in wanted if name in offered}
        if entry_point:
            space["candidate"] = space[entry_point]
        exec(code, space)
        if entry_point and entry_point != "check" and "check" in space:
            space["check"](space["candidate"])

    def _compiled(self, test: str) -> CodeType:
        try:
            return compile(test, "<test>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            self.end(f"unusable: it is no Python ({error})")


def judge(channel: Channel) -> None:
    """Run the test on standard input; report on standard output, which the test itself has not."""
    nonce, test, entry_point, seconds = decode(sys.stdin.buffer.read())
    report = os.dup(1)
    silence()
    side = Judge(channel, report, nonce)
    side.run(test, entry_point, seconds)
    side.end("passed")


def free_names(code: CodeType) -> set[str]:
    """Names in `code` that are not built in: the program's functions are among them."""
    inner = (free_names(const) for const in code.co_consts if isinstance(const, type(code)))
    names = set(code.co_names).union(*inner)
    return {name for name in names if not hasattr(builtins, name) and not name.startswith("__")}


def restore(given: Mapping[Any, Any], changed: Mapping[Any, Any]) -> None:
    """Make each argument that a call changed in place what the call left of it."""
    for key, new in changed.items():
        old = given.get(key)
        if isinstance(new, list) and isinstance(old, list):
            old[:] = new
        elif isinstance(new, (dict, set)) and isinstance(old, type(new)):
            old.clear()
            old.update(new)
        else:
            os._exit(1)


# -- the sandbox of the program -------------------------------------------------------------------


def serve(channel: Channel) -> None:
    """Load the program on standard input, and call its functions as the test asks."""
    source = sys.stdin.buffer.read().decode()
    silence()
    channel.send("ready")
    module = sys.modules["program"] = type(sys)("program")
    space = module.__dict__
    exec(compile(source, "<program>", "exec", dont_inherit=True), space)
    channel.send([name for name, value in space.items() if callable(value)])
    while True:
        name, args, named = channel.receive()
        channel.send(answer(space[name], args, named))


def answer(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call a function; what it returns or raises, and those of its arguments that it changed."""
    given: dict[Any, Any] = {**dict(enumerate(args)), **named}
    before = {k: encode(v) for k, v in given.items() if isinstance(v, (list, dict, set))}
    try:
        value = function(*args, **named)
    except BaseException as error:  # Even SystemExit is but an answer.
        return ("raise", builtin_name(type(error)), error_text(error))
    return ("return", value, {k: given[k] for k, was in before.items() if encode(given[k]) != was})


def builtin_name(kind: type[BaseException]) -> str:
    """The name by which a test can catch an exception, if there is one."""
    return next((k.__name__ for k in kind.__mro__ if k.__name__ in ERRORS), kind.__name__)


def error_text(error: BaseException) -> str:
    """The text from which a like exception is made."""
    return str(error.args[0] if len(error.args) == 1 else error)


# -- both -----------------------------------------------------------------------------------------


def silence() -> None:
    """Put /dev/null in the place of the three standard streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def main() -> None:
    """Play the role that the command line names, at the ends of two pipes."""
    role, reads, writes = sys.argv[1:]
    channel = Channel(os.fdopen(int(reads), "rb"), os.fdopen(int(writes), "wb"))
    {"judge": judge, "serve": serve}[role](channel)


if __name__ == "__main__":
    main()
