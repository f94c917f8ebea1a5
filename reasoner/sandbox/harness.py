"""The code inside two sandboxes: a unit test in one, the program under test in the other.

Two pipes connect them, and only plain values pass: None, bool, int, float, complex, str, bytes, and
list, tuple, set, frozenset and dict of these. The test calls a function by name, with plain
arguments, and receives a plain value or the name of an exception. The program cannot send a class,
a module or code, so a program that takes over its end of the pipes can still send plain values only.

A value is written as a header `kind size` and a newline, then `size` bytes of an atom or `size`
values of a container; a dict is a list of alternating keys and values.

The start of Python takes most of a test's time, so this file imports next to nothing.
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
"""Maximum nesting depth of containers."""
LONGEST = 2**22
"""Maximum bytes of a message."""
HEADER = 24
"""Maximum bytes of a header."""

# -- plain values ---------------------------------------------------------------------------------


class NotPlain(Exception):
    """A value of a type that may not pass."""


class MalformedValue(Exception):
    """Bytes that encode no value, or a value that is too deep or too long."""


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
"""The writer and reader of each atom. Hexadecimal avoids quadratic time for long integers."""
CONTAINERS: tuple[type[Any], ...] = (list, tuple, set, frozenset, dict)
READERS = {kind.__name__.encode(): read for kind, (_, read) in ATOMS.items()}
BUILDERS = {kind.__name__.encode(): kind for kind in CONTAINERS}


def encode(value: Any) -> bytes:
    """Encode a value; an instance of a subclass becomes one of the built-in class.

    Raises:
        NotPlain: a part of it has another type.
        MalformedValue: it is too deep, or too long.
    """
    parts = list[bytes]()
    length = 0
    for part in _encoded(value, DEPTH):
        length += len(part)
        if length > LONGEST:
            raise MalformedValue(f"a value of more than {LONGEST} bytes")
        parts.append(part)
    return b"".join(parts)


def _encoded(value: Any, depth: int) -> Iterator[bytes]:
    for kind, (write, _) in ATOMS.items():
        if isinstance(value, kind):
            text = write(value)
            yield b"%s %d\n" % (kind.__name__.encode(), len(text))
            yield text
            return
    for kind in CONTAINERS:
        if isinstance(value, kind):
            if not depth:
                raise MalformedValue(f"a value more than {DEPTH} containers deep")
            # Use the built-in's own methods, which a subclass may override.
            items = list(kind.items(value) if kind is dict else kind.__iter__(value))
            yield b"%s %d\n" % (kind.__name__.encode(), len(items))
            for item in (part for pair in items for part in pair) if kind is dict else items:
                yield from _encoded(item, depth - 1)
            return
    raise NotPlain(f"{type(value).__name__} is not plain data")


def decode(data: bytes) -> Any:
    """Decode a value of exact built-in types.

    Raises:
        MalformedValue: the bytes encode no value.
    """
    try:
        value, end = _read(data, 0, DEPTH)
    except (ValueError, TypeError, OverflowError) as error:
        raise MalformedValue(str(error)) from None
    if end != len(data):
        raise MalformedValue("more than one value")
    return value


def _read(data: bytes, start: int, depth: int) -> tuple[Any, int]:
    """Decode the value at `start`; return it and its end position."""
    end = data.find(b"\n", start, start + HEADER)
    name, _, digits = data[start:end].partition(b" ")
    if end < 0 or not digits.isdigit():
        raise MalformedValue("no header")
    start, size = end + 1, int(digits)
    if name in READERS:
        if start + size > len(data):
            raise MalformedValue("shorter than its header says")
        return READERS[name](data[start : start + size]), start + size
    if name not in BUILDERS or not depth:
        raise MalformedValue("an unknown kind, or too deep")
    items: list[Any] = []
    for _ in range(2 * size if name == b"dict" else size):
        item, start = _read(data, start, depth - 1)
        items.append(item)
    if name == b"dict":
        return dict(zip(items[::2], items[1::2], strict=True)), start
    return BUILDERS[name](items), start


class Channel:
    """One end of two pipes; a message is four bytes of length and an encoded value."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO) -> None:
        self._reads, self._writes = reads, writes

    def send(self, value: Any) -> None:
        """Send a value."""
        data = encode(value)
        self._writes.write(len(data).to_bytes(4, "big") + data)
        self._writes.flush()

    def receive(self) -> Any:
        """Receive a value.

        Raises:
            EOFError: the other end is closed.
            MalformedValue: the message is not a value.
        """
        length = int.from_bytes(self._exactly(4), "big")
        if length > LONGEST:
            raise MalformedValue(f"a value of {length} bytes")
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

`StopIteration` is not among them: it would end a loop of the test over the remaining checks.
"""


class ProgramError(Exception):
    """Any other exception of a program."""


class JudgeSide:
    """The test's side of the channel; anything but a plain answer ends the test as failed."""

    def __init__(self, channel: Channel, report: int, nonce: str) -> None:
        self._channel, self._report, self._nonce = channel, report, nonce

    def end(self, verdict: str) -> NoReturn:
        """Report a verdict, with the nonce that authenticates it."""
        os.write(self._report, f"{self._nonce} {verdict}".encode(errors="replace"))
        os._exit(0)

    def receive(self) -> Any:
        """Receive a value; a missing or malformed one ends the process, so no test can catch it."""
        try:
            return self._channel.receive()
        except BaseException:
            os._exit(1)

    def ask(self, *request: Any) -> Any:
        """Send a request and receive the answer."""
        try:
            self._channel.send(request)
        except NotPlain as error:
            self.end(f"unusable: it passes an argument that is not plain data ({error})")
        except BaseException:
            os._exit(1)
        return self.receive()

    def proxy(self, name: str) -> Callable[..., Any]:
        """Return a function that calls the program's function of this name."""

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
        """Run a test; raise any error of the program."""
        code = self._compile(test)
        self.receive()  # The program's process is ready; the program has not started.
        faulthandler.dump_traceback_later(seconds, exit=True)
        offered = [name for name in self.receive() if isinstance(name, str)]
        wanted = [entry_point] if entry_point else free_names(code)
        space: dict[str, Any] = {name: self.proxy(name) for name in wanted if name in offered}
        if entry_point:
            space["candidate"] = space[entry_point]
        exec(code, space)
        if entry_point and entry_point != "check" and "check" in space:
            space["check"](space["candidate"])

    def _compile(self, test: str) -> CodeType:
        try:
            return compile(test, "<test>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            self.end(f"unusable: it is no Python ({error})")


def judge(channel: Channel) -> None:
    """Run the test on standard input; report on standard output, which the test cannot access."""
    nonce, test, entry_point, seconds = decode(sys.stdin.buffer.read())
    report = os.dup(1)
    silence()
    side = JudgeSide(channel, report, nonce)
    side.run(test, entry_point, seconds)
    side.end("passed")


def free_names(code: CodeType) -> set[str]:
    """Return the names in `code` that are not built in, including the program's functions."""
    inner = (free_names(const) for const in code.co_consts if isinstance(const, type(code)))
    names = set(code.co_names).union(*inner)
    return {name for name in names if not hasattr(builtins, name) and not name.startswith("__")}


def restore(arguments: Mapping[Any, Any], changed: Mapping[Any, Any]) -> None:
    """Apply a call's in-place changes to the test's own arguments."""
    for key, new in changed.items():
        old = arguments.get(key)
        if isinstance(new, list) and isinstance(old, list):
            old[:] = new
        elif isinstance(new, (dict, set)) and isinstance(old, type(new)):
            old.clear()
            old.update(new)
        else:
            os._exit(1)


# -- the sandbox of the program -------------------------------------------------------------------


def serve(channel: Channel) -> None:
    """Load the program on standard input and call its functions for the test."""
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
    """Call a function; return its result or exception, and the arguments it changed."""
    arguments: dict[Any, Any] = {**dict(enumerate(args)), **named}
    before = {k: encode(v) for k, v in arguments.items() if isinstance(v, (list, dict, set))}
    try:
        value = function(*args, **named)
    except BaseException as error:  # SystemExit is an answer, too.
        return ("raise", builtin_name(type(error)), error_text(error))
    return (
        "return",
        value,
        {k: arguments[k] for k, old in before.items() if encode(arguments[k]) != old},
    )


def builtin_name(kind: type[BaseException]) -> str:
    """Return the name by which a test can catch an exception, or else its own name."""
    return next((k.__name__ for k in kind.__mro__ if k.__name__ in ERRORS), kind.__name__)


def error_text(error: BaseException) -> str:
    """Return the text to construct an equal exception from."""
    return str(error.args[0] if len(error.args) == 1 else error)


# -- both -----------------------------------------------------------------------------------------


def silence() -> None:
    """Replace the three standard streams by /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def main() -> None:
    """Run the role named on the command line, connected by two pipes."""
    role, reads, writes = sys.argv[1:]
    channel = Channel(os.fdopen(int(reads), "rb"), os.fdopen(int(writes), "wb"))
    {"judge": judge, "serve": serve}[role](channel)


if __name__ == "__main__":
    main()
