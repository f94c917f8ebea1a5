"""Runs inside the sandbox: unit tests in one process, the program they test in another.

All that passes between the two is plain data, so a program can neither see a test nor touch its
verdict: it is asked for values, as over a network, and the test process compares them. A third
process starts the two anew for each test and has itself read neither tests nor program, so nothing
of them is in the memory they inherit.

Standard input is a JSON object: `program`, `entry_point`, `tests` and `seconds` for each of them.
The numbers of the tests that pass come on standard output, one per line.
"""

from __future__ import annotations

import builtins
import importlib
import json
import operator
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partialmethod
from itertools import count
from types import CodeType, FunctionType, ModuleType
from typing import Any

OVER = 3
"""The exit code of a test process for which there was no test left."""

PROGRAM = "program"
"""The module that the program is to itself, by which its classes are known."""

Verbs = dict[str, Callable[..., Any]]

# -- the process that knows nothing ---------------------------------------------------------------


def main() -> None:
    """Hold one trial per test."""
    for number in count():
        if not trial(number):
            return


def trial(number: int) -> bool:
    """Whether there is a test of this number, which is then run, and reported if it passes."""
    to_program, to_test = os.pipe(), os.pipe()
    program = fork(serve, to_program[0], to_test[1], closes=(to_program[1], to_test[0]))
    test = fork(judge, number, to_test[0], to_program[1], closes=(to_program[0], to_test[1]))
    for end in (*to_program, *to_test):
        os.close(end)
    _, status = os.waitpid(test, 0)
    os.kill(program, signal.SIGKILL)
    os.waitpid(program, 0)
    return os.waitstatus_to_exitcode(status) != OVER


def fork(role: Callable[..., int], *args: Any, closes: tuple[int, ...]) -> int:
    """Start a process that plays `role` and exits with what it returns."""
    if child := os.fork():
        return child
    code = 1
    try:
        for end in closes:
            os.close(end)
        code = role(*args)
    finally:
        os._exit(code)


def silence() -> None:
    """Put /dev/null in the place of the three standard streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


# -- the process of a test ------------------------------------------------------------------------


def judge(number: int, reads: int, writes: int) -> int:
    """Run one test against the program at the other end."""
    os.lseek(0, 0, os.SEEK_SET)
    with open(0, encoding="utf8", closefd=False) as given:
        task = json.load(given)
    if number >= len(task["tests"]):
        return OVER
    report = os.dup(1)
    silence()
    signal.setitimer(signal.ITIMER_REAL, task["seconds"])
    serves: Verbs = {"call": call, "get": hide, "do": operate}
    check(Peer(reads, writes, serves), task["tests"][number], task["program"], task["entry_point"])
    os.write(report, f"{number}\n".encode())
    return 0


def check(peer: Peer, test: str, program: str, entry_point: str | None) -> None:
    """Run `test`; raises whatever is wrong with the program.

    A name the test does not define is the program's, unless it is a builtin. A function `check`
    that the test defines is called with the entry point, which is called `candidate` too.
    """
    code = compile(test, "<test>", "exec", dont_inherit=True)
    wanted = [n for n in names(code) if not hasattr(builtins, n) and not n.startswith("__")]
    wanted += [entry_point] if entry_point else []
    answer = peer.ask("load", program, wanted)
    # No other names: the program may have taken over who answers for it.
    space = {name: answer[name] for name in wanted if name in answer}
    if entry_point in space:
        space["candidate"] = space[entry_point]
    exec(code, space)
    if entry_point and isinstance(space.get("check"), FunctionType):
        space["check"](space[entry_point])


def names(code: CodeType) -> set[str]:
    """The global names in `code`, and those of attributes."""
    inner = (names(const) for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*inner)


def hide(_: Any, name: str) -> Any:
    """Attributes stay here: from a function or a generator they lead to all its process holds."""
    raise AttributeError(name)


# -- the process of the program -------------------------------------------------------------------


def serve(reads: int, writes: int) -> int:
    """Load the program, then do with its objects what the test asks for."""
    silence()
    serves: Verbs = {"load": load, "call": call, "get": getattr, "set": setattr, "do": operate}
    Peer(reads, writes, serves).serve()
    return 0


def load(source: str, wanted: list[str]) -> dict[str, Any]:
    """Run the program's source; what it then calls by the `wanted` names."""
    module = sys.modules[PROGRAM] = ModuleType(PROGRAM)
    exec(compile(source, "<program>", "exec", dont_inherit=True), module.__dict__)
    return {name: module.__dict__[name] for name in wanted if name in module.__dict__}


# -- what both do for each other ------------------------------------------------------------------

OPERATIONS = [
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs", "getitem",
    "setitem", "delitem", "len", "iter", "next", "str", "repr", "int", "float", "bool", "hash",
]  # fmt: skip
"""What can be done with an object of the other side, besides calls and attributes.

Not `contains`: it would let a program say that everything is in it. Python then looks through what
`iter` gives.
"""

COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
"""Those only of two objects of the other side, or a program could say that it equals anything."""


def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    return function(*args, **named)


def operate(operation: str, *args: Any) -> Any:
    if operation not in OPERATIONS + COMPARISONS:
        raise TypeError(operation)
    return (getattr(operator, operation, None) or getattr(builtins, operation))(*args)


class Remote:
    """An object that the other side has."""

    __slots__ = ("remote_number", "remote_peer")
    remote_number: int
    remote_peer: Peer

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "remote_peer", peer)
        object.__setattr__(self, "remote_number", number)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.remote_peer.ask("call", self, *args, **named)

    def __getattr__(self, name: str) -> Any:
        return self.remote_peer.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.remote_peer.ask("set", self, name, value)


def ask(self: Remote, operation: str, *args: Any) -> Any:
    return self.remote_peer.ask("do", operation, self, *args)


def compare(self: Remote, operation: str, other: Any) -> Any:
    return ask(self, operation, other) if isinstance(other, Remote) else NotImplemented


for name in OPERATIONS:
    setattr(Remote, f"__{name}__", partialmethod(ask, name))
for name in COMPARISONS:
    setattr(Remote, f"__{name}__", partialmethod(compare, name))


# -- the conversation -----------------------------------------------------------------------------


class ProgramError(Exception):
    """An exception of the program that is none of Python's own, or its sudden end."""


class Peer:
    """One end of a conversation in which both sides may ask.

    Numbers, strings and containers of them travel as copies; of another object, the other side gets
    a `Remote`, and what is done with that is asked of the owner. `serves` are the verbs that it may
    use. Lists, dicts and sets that a call was given are afterwards what the call made of them.
    """

    def __init__(self, reads: int, writes: int, serves: Verbs) -> None:
        self._reads, self._writes = os.fdopen(reads, "rb"), os.fdopen(writes, "wb")
        self._serves = serves
        self._own = list[object]()
        sys.set_int_max_str_digits(0)

    def ask(self, verb: str, /, *args: Any, **named: Any) -> Any:
        """What the other side answers; an exception there is raised here."""
        self._send(verb, [self._pack(a) for a in args], self._pack(named))
        while message := self._receive():
            kind, *rest = message
            if kind == "return":
                value, after = map(self._unpack, rest)
                for old, new in zip(args, after, strict=True):
                    restore(old, new)
                return value
            if kind == "raise":
                raise exception(*rest)
            self._answer(kind, *rest)
        raise ProgramError("the program ended")

    def serve(self) -> None:
        """Answer until the other side is gone."""
        while message := self._receive():
            self._answer(*message)

    def _answer(self, verb: str, args: list[Any], named: Any) -> None:
        try:
            given = [self._unpack(a) for a in args]
            value = self._serves[verb](*given, **self._unpack(named))
            after = [a if isinstance(a, (list, dict, set)) else None for a in given]
            reply = ["return", self._pack(value), self._pack(after)]
        except BaseException as error:  # Even SystemExit is but an answer.
            reply = ["raise", type(error).__name__, str(error)]
        self._send(*reply)

    def _send(self, *message: Any) -> None:
        self._writes.write(json.dumps(message).encode() + b"\n")
        self._writes.flush()

    def _receive(self) -> list[Any] | None:
        line = self._reads.readline()
        return json.loads(line) if line else None

    def _pack(self, value: Any) -> Any:
        """As JSON: a scalar, or a list of a kind and what it is made of."""
        if isinstance(value, (bool, int, float, str, type(None))):
            return value
        if isinstance(value, Remote):
            return ["yours", value.remote_number]
        for kind, parts in ATOMS.items():
            if isinstance(value, kind):
                return [kind.__name__, *parts(value)]
        for kind in CONTAINERS:
            if isinstance(value, kind) and copied(value):
                items: Any = value.items() if kind is dict else value
                return [kind.__name__, *map(self._pack, items)]
        self._own.append(value)
        return ["mine", len(self._own) - 1]

    def _unpack(self, packed: Any) -> Any:
        if not isinstance(packed, list):
            return packed
        kind, *parts = packed
        if kind == "yours":
            return self._own[parts[0]]
        if kind == "mine":
            return Remote(self, parts[0])
        return MADE[kind](*parts) if kind in MADE else FILLED[kind](map(self._unpack, parts))


def library(name: str) -> ModuleType:
    """A module of the standard library: each side has its own."""
    if name.partition(".")[0] not in sys.stdlib_module_names:
        raise ImportError(name)
    return importlib.import_module(name)


ATOMS: dict[type[Any], Callable[[Any], list[Any]]] = {
    bytes: lambda x: [x.hex()],
    complex: lambda x: [x.real, x.imag],
    range: lambda x: [x.start, x.stop, x.step],
    ModuleType: lambda x: [x.__name__],
}
MADE: dict[str, Callable[..., Any]] = {
    "bytes": bytes.fromhex, "complex": complex, "range": range, "module": library,
}  # fmt: skip
CONTAINERS: list[type[Any]] = [list, tuple, set, frozenset, dict]
FILLED: dict[str, Callable[..., Any]] = {kind.__name__: kind for kind in CONTAINERS}


def copied(container: Any) -> bool:
    """Whether it travels as a copy: not if the program gave it methods of its own."""
    return type(container).__module__ != PROGRAM or hasattr(container, "_fields")


def restore(old: Any, new: Any) -> None:
    """Make a container that was passed what the call left of it."""
    if isinstance(new, list) and isinstance(old, list):
        old[:] = new
    elif isinstance(new, (dict, set)) and isinstance(old, type(new)):
        old.clear()
        old.update(new)


def exception(name: str, text: str) -> Exception:
    """One like that of the other side."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        with suppress(TypeError):  # Some want more than a text.
            return kind(text)
    return ProgramError(f"{name}: {text}")


if __name__ == "__main__":
    main()
