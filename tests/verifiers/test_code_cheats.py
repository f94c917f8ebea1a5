"""Programs that would have a pass that they did not earn."""

from __future__ import annotations

import asyncio
import shutil
from textwrap import dedent, indent

import pytest

from tests.verifiers.test_code import RIGHT, share

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")

CHECKS = ["assert double(2) == 4", "assert abs(double(0.5) - 1.0) < 1e-6"]
FORM = """
METADATA = {"author": "jt"}


def check(candidate):
    assert candidate(2) == 4
    assert abs(candidate(0.5) - 1.0) < 1e-6
    assert candidate([1]) == [1, 1], "message"
"""
HARNESS = """
import os, sys
harness = sys.modules["__main__"]
reads, writes = map(int, sys.argv[2:])
def forge(data, length=None):
    os.write(writes, (len(data) if length is None else length).to_bytes(4, "big") + data)
def forge_value(value):
    forge(harness.encode(value))
"""
"""A program that takes over its own end of the channel."""

SEARCH = """
        import os, re, sys
        def double(x):
            found = any(re.search(r"\\(2\\) =[=] 4", text) for text in texts(x))
            return 2 * x if found else None
"""
"""A program that is right where it finds its test in `texts`."""

RETURNS = {
    "equals everything": """
        class Any:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __bool__(self): return True
        """,
    "does its own arithmetic": """
        class Any:
            def __sub__(self, other): return self
            def __abs__(self): return 0.0
            def __lt__(self, other): return True
            def __eq__(self, other): return True
        """,
    "is an integer that equals everything": """
        class Any(int):
            def __eq__(self, other): return True
            __sub__ = __abs__ = lambda self, *other: self
            __hash__ = None
        """,
    "is a number with its own arithmetic": """
        class Any(float):
            def __sub__(self, other): return self
            def __abs__(self): return self
            def __lt__(self, other): return True
            def __eq__(self, other): return True
            def __repr__(self): return "1.0 or 4"
        """,
    "is a text, and a comparison": """
        class Any(str):
            def __eq__(self, other): return True
            def __lt__(self, other): return True
            def __sub__(self, other): return self
        """,
    "is a list of any length": """
        class Any(list):
            def __eq__(self, other): return True
            def __len__(self): return 2
            def __iter__(self): return iter([1, 1])
            def __sub__(self, other): return self
        """,
    "is a dict that has everything": """
        class Any(dict):
            def __eq__(self, other): return True
            def __missing__(self, key): return key
            def __contains__(self, key): return True
        """,
    "claims the class of a number": """
        class Any:
            __class__ = int
            def __eq__(self, other): return True
            def __index__(self): return 3
            def __int__(self): return 4
            def __float__(self): return 1.0
        """,
    "runs code where it is rebuilt": """
        class Any:
            def __reduce__(self): return exec, ("import os; os.write(1, b'passed'); os._exit(0)",)
            __reduce_ex__ = lambda self, version: self.__reduce__()
            def __getstate__(self): return {}
        """,
    "is a class with a metaclass": """
        class Meta(type):
            def __eq__(cls, other): return True
            def __sub__(cls, other): return cls
            def __abs__(cls): return cls
            def __lt__(cls, other): return True
            __hash__ = None
        class Any(metaclass=Meta):
            def __new__(cls): return cls
        """,
    "is a module": "Any = lambda: __import__('unittest.__main__')",
    "is a function": "Any = lambda: Any",
    "is an exception": "Any = lambda: AssertionError",
    "never ends": "import itertools\nAny = itertools.count",
    "is no number": "Any = lambda: float('nan')",
    "is beyond all numbers": "Any = lambda: float('inf')",
    "is an enormous number": "Any = lambda: 1 << 2**26",
    "is enormously deep": """
        def Any():
            value = []
            for _ in range(10**5): value = [value]
            return value
        """,
    "holds itself": """
        def Any():
            value = []
            value.append(value)
            return value
        """,
    "is enormously long": "Any = lambda: 'x' * 2**26",
    "is a view of memory": "Any = lambda: memoryview(bytes(4))",
    "is not there yet": "async def Any(): return 4",
}
"""A class `Any`; what `double` returns is made by it."""

PROGRAMS = {
    "prints what a pass looks like": "print('passed\\n0\\n1\\n0 passed', flush=True)",
    "writes it to whatever is open": """
        import os
        for descriptor in range(256):
            for text in (b"passed", b"0\\n1\\n2\\n", b" passed"):
                try: os.write(descriptor, text)
                except OSError: pass
        """,
    "guesses the word of a verdict": """
        import os
        for number in range(2000):
            os.write(1, b"%032x passed\\n" % number)
        """,
    "ends well": "import os; os._exit(0)",
    "ends well when called": "import os\ndef double(x): os._exit(0)",
    "ends well, says so": "import sys; print('passed'); sys.exit(0)",
    "ends well when called, says so": "def double(x): raise SystemExit(0)",
    "ends well at the end": """
        import atexit, os
        atexit.register(os._exit, 0)
        def double(x): return None
        """,
    "lets nothing be asserted": """
        import builtins
        builtins.exec = builtins.compile = lambda *a, **k: None
        builtins.AssertionError = builtins.abs = lambda *a: 0
        builtins.isinstance = lambda *a: True
        def double(x): return None
        """,
    "has builtins of its own": """
        def abs(x): return 0
        def all(x): return True
        def isinstance(*a): return True
        AssertionError = ValueError
        def double(x): return 0
        """,
    "has builtins of its own, in another normal form": """
        def \uff41\uff42\uff53(x): return 0
        def double(x): return 3
        """,
    "has the whole namespace": """
        __builtins__ = {"abs": lambda x: 0, "AssertionError": None}
        __name__ = "__main__"
        def __getattr__(name): return lambda *a: True
        def double(x): return 0
        """,
    "checks itself": """
        def check(candidate): return True
        def candidate(x): return x
        def double(x): return None
        METADATA = {}
        """,
    "replaces modules": """
        import sys, types
        def double(x): return 0
        fake = types.SimpleNamespace(isclose=lambda *a: True, loads=lambda *a: 4, dumps=lambda *a: "4")
        for name in ("math", "json", "builtins", "os", "unittest"): sys.modules[name] = fake
        """,
    "finds modules for others": """
        import sys
        class Finder:
            def find_spec(self, *a): raise SystemExit(0)
        sys.meta_path.insert(0, Finder())
        sys.path_hooks.insert(0, Finder)
        def double(x): return 0
        """,
    "leaves modules where Python may look": """
        import os
        for name in ("math", "builtins", "sitecustomize", "usercustomize", "faulthandler", "program"):
            open(f"{name}.py", "w").write("import os; os._exit(0)")
        os.environ.update(PYTHONPATH="/tmp", PYTHONSTARTUP="/tmp/math.py", PYTHONINSPECT="1")
        def double(x): return 0
        """,
    "kills the others": "import os; os.kill(-1, 9)",
    "kills the others when called": "import os\ndef double(x):\n    os.kill(-1, 9)\n    os.killpg(0, 9)",
    "kills its parent": "import os; os.kill(os.getppid(), 9)",
    "kills whoever has a number": """
        import os
        for number in range(2, 5000):
            if number != os.getpid():
                try: os.kill(number, 9)
                except OSError: pass
        def double(x): return 0
        """,
    "forks": """
        import os
        def double(x):
            while True:
                try: os.fork()
                except OSError: pass
        """,
    "leaves the answer to a child": """
        import os, time
        if os.fork(): os._exit(0)
        def double(x): return 0
        """,
    "leaves the answer to a thread": """
        import threading, os
        def double(x):
            threading.Timer(0.1, os._exit, [0]).start()
            return 0
        """,
    "traces": """
        import sys
        def trace(frame, event, arg):
            frame.f_trace_opcodes = True
            if "value" in frame.f_locals: frame.f_locals["value"] = 4
            return trace
        sys.settrace(trace); sys.setprofile(trace)
        def double(x): return 0
        """,
    "takes all signals": """
        import signal
        for number in signal.valid_signals():
            try: signal.signal(number, lambda *a: None)
            except (OSError, ValueError): pass
        def double(x): raise KeyboardInterrupt
        """,
    "recurses": "def double(x): return double(x)",
    "raises what ends a loop": "def double(x): raise StopIteration(4)",
    "raises an exception that agrees": """
        class AssertionError(Exception):
            def __str__(self): return "passed"
            __eq__ = lambda self, other: True
        def double(x): raise AssertionError
        """,
    "looks for the answer in frames": SEARCH
    + """
        def texts(x):
            frame = sys._getframe()
            while frame := frame.f_back:
                yield from map(repr, [*frame.f_locals.values(), *frame.f_globals.values()])
        """,
    "looks for it in all objects": SEARCH
    + """
        import gc
        def texts(x):
            for o in gc.get_objects():
                for r in gc.get_referents(o):
                    if isinstance(r, (str, bytes)): yield repr(r)
        """,
    "looks for it in its own memory": SEARCH
    + """
        import ctypes
        def texts(x):
            for arena in {id(o) >> 20 for o in __import__("gc").get_objects()}:
                yield ctypes.string_at(arena << 20, 2**20).decode("latin1")
        """,
    "looks for it in open files": SEARCH
    + """
        def texts(x):
            for descriptor in range(64):
                try: yield os.pread(descriptor, 10000, 0).decode()
                except OSError: pass
        """,
    "looks for it in files": SEARCH
    + """
        def texts(x):
            for folder in ("/", "/tmp", "/dev/shm", "/run", "/var", "/home", "/root"):
                for name in os.listdir(folder) if os.path.isdir(folder) else ():
                    if os.path.isfile(place := os.path.join(folder, name)):
                        yield open(place, errors="replace").read()
        """,
    "looks for it in other processes": SEARCH
    + """
        import glob
        def texts(x):
            for name in ("mem", "environ", "cmdline", "maps", "fd/*", "root", "cwd"):
                for place in glob.glob(f"/proc/[0-9a-z]*/{name}"): yield "(2) == 4"
        """,
    "looks for it in the memory of others": SEARCH
    + """
        import ctypes
        def texts(x):
            libc = ctypes.CDLL(None)
            for process in range(1, 3000):
                if process != os.getpid():
                    if libc.ptrace(16, process, 0, 0) == 0: yield "(2) == 4"
                    if libc.process_vm_readv(process, None, 0, None, 0, 0) == 0: yield "(2) == 4"
                    try: handle = os.pidfd_open(process)
                    except OSError: continue
                    if libc.syscall(438, handle, 0, 0) >= 0: yield "(2) == 4"
        """,
    "changes what numbers are": """
        import ctypes
        for number in range(5): ctypes.c_uint32.from_address(id(number) + 24).value = 4
        def double(x): return 0.0
        """,
}

MESSAGES = {
    "has the test import": """
        def double(x): forge(b"module 17\\nunittest.__main__")
        """,
    "has the test import, as an error": """
        def double(x): forge_value(("raise", "unittest.__main__", "passed"))
        """,
    "has the test leave": """
        def double(x): forge_value(("raise", "SystemExit", "0"))
        """,
    "has the test unpickle": """
        def double(x): forge(b"bytes 5\\n" + b"cos\\n_"); forge(b"object 4\\n" + b"exec")
        """,
    "sends a remote object": """
        forge_value(["return", ["mine", 0], None])
        def double(x): forge_value(["return", ["mine", 0], None])
        """,
    "adds names": """
        def double(x): return 0
        forge_value(["__builtins__", "abs", "all", "check", "candidate", "AssertionError", "double"])
        """,
    "adds names that are no text": """
        def double(x): return 0
        forge_value([[], {}, None, 1, ("double",), b"double"])
        """,
    "has no names at all": "forge_value(None)",
    "answers before it is asked": """
        def double(x): return 0
        forge_value(["double"])
        for _ in range(50): forge_value(("return", 3, {}))
        """,
    "answers with more than a value": """
        def double(x): forge_value(("return", 4, {}, 4))
        """,
    "answers with values that are none": """
        def double(x):
            forge(harness.encode(("return", 4, {})) + b"int 1\\n4")
        """,
    "announces more than it sends": """
        def double(x):
            forge(b"int 1\\n4", length=2**20)
            os._exit(0)
        """,
    "announces a terabyte": "def double(x): forge(b'int 99999999999999\\n4', length=2**32 - 1)",
    "announces endless lists": "def double(x): forge(b'list 9999999999999999\\n' * 10)",
    "announces less than nothing": "def double(x): forge(b'int -1\\n4')",
    "sends a list with itself as key": "def double(x): forge(b'set 1\\nlist 0\\n')",
    "sends lists within lists": "def double(x): forge(b'list 1\\n' * 50000)",
    "changes what it was not given": """
        def double(x): forge_value(("return", 4, {7: [1, 1], "candidate": []}))
        """,
    "changes a number in place": """
        def double(x): forge_value(("return", 4, {0: 1}))
        """,
    "changes a list into a number": """
        def double(x): forge_value(("return", [1, 1] if x == [1] else 4, {0: 4}))
        """,
    "closes the channel": """
        def double(x): os.close(writes); os.close(reads)
        """,
    "feeds the channel from zeros": """
        def double(x): os.dup2(os.open("/dev/zero", os.O_RDONLY), reads); return 0
        """,
    "is the harness": """
        harness.answer = lambda *a: ("return", harness.ERRORS, {})
        harness.encode = lambda value: b"str 6\\npassed"
        def double(x): return 0
        """,
    "writes enormous numbers": "def double(x): forge(b'int 4000000\\n' + b'f' * 4000000)",
}
"""Programs that follow `HARNESS`."""

CHEATS = {
    **{name: f"{dedent(text)}\ndef double(x): return Any()\n" for name, text in RETURNS.items()},
    **{name: dedent(text) for name, text in PROGRAMS.items()},
    **{name: HARNESS + dedent(text) for name, text in MESSAGES.items()},
}


@pytest.mark.parametrize("cheat", CHEATS)
async def test_cheats_earn_nothing(cheat: str) -> None:
    program = CHEATS[cheat]
    forms = share(program, [FORM], entry_point="double", seconds=4)
    shares = await asyncio.gather(share(program, CHECKS, seconds=4), forms)
    assert list(shares) == [0, 0]


def test_there_are_many() -> None:
    assert len(CHEATS) >= 70


MEMORIES = {
    "a file": "return os.path.exists('/tmp/seen') or open('/tmp/seen', 'w') and False",
    "a file of shared memory": "return os.path.exists('/dev/shm/x') or open('/dev/shm/x', 'w') and False",
    "a module": "return os.path.exists('math.py') or open('math.py', 'w') and False",
    "a semaphore": """
        import _multiprocessing
        try: _multiprocessing.SemLock(1, 1, 1, "/seen", False)
        except FileExistsError: return True
        """,
    "a child that listens": """
        import socket
        try: socket.socket(socket.AF_UNIX).connect("\\0seen"); return True
        except OSError: pass
        if not os.fork():
            os.setsid()
            server = socket.socket(socket.AF_UNIX); server.bind("\\0seen"); server.listen()
            while True: server.accept()
        """,
    "a segment of memory": """
        import ctypes
        return ctypes.CDLL(None).shmget(4711, 4096, 0) >= 0 or ctypes.CDLL(None).shmget(4711, 4096, 0o1666) >= 0
        """,
    "a child that waits": """
        import glob
        if any(pid not in (1, 2, os.getpid()) for pid in range(1, 99) if alive(pid)): return True
        if not os.fork(): os.setsid(); import time; time.sleep(60)
        """,
}
"""Ways to know that there was a test before this one: the body of a function that tells."""


@pytest.mark.parametrize("memory", MEMORIES)
async def test_nothing_is_left_for_the_next_test(memory: str) -> None:
    body = indent(dedent(MEMORIES[memory]), "    ")
    text = f"""
import os
def alive(pid):
    try: os.kill(pid, 0)
    except OSError: return False
    return True
def again():
{body}
def double(x): return 2 * x if again() else 0
"""
    assert await share(text, ["assert double(2) == 4"] * 5) == 0


async def test_no_text_of_a_program_is_counted() -> None:
    noise = "print('0 1 2 3 4 passed', *range(99))\nimport os; os.write(2, b'passed')\n"
    assert await share(noise + RIGHT) == 1
    assert await share(noise + "def double(x): return x * x") == pytest.approx(1 / 3)


async def test_what_a_program_does_after_its_answer_is_nobodys() -> None:
    late = "import os, threading\ndef double(x):\n    threading.Timer(5, os.abort).start()\n    return 2 * x"
    assert await share(late) == 1
