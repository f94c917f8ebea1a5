"""Programs that would have a pass that they did not earn."""

from __future__ import annotations

import shutil

import pytest

from tests.verifiers.test_code import share

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")

CHEATS = {
    "prints what a pass looks like": "print('0\\n1\\n2\\n', flush=True)",
    "writes it to whatever is open": """
        import os
        for descriptor in range(256):
            try: os.write(descriptor, b"0\\n1\\n2\\n")
            except OSError: pass
        """,
    "ends well": "import os; os._exit(0)",
    "ends well, says so": "import sys; print('0 1 2'); sys.exit(0)",
    "equals everything": """
        class Any:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __bool__(self): return True
        def double(x): return Any()
        """,
    "is a number that equals everything": """
        class Any(int):
            def __eq__(self, other): return True
            __hash__ = None
        def double(x): return Any()
        """,
    "replaces what tests are run with": """
        import builtins, json, os, sys
        builtins.exec = builtins.compile = lambda *a, **k: None
        builtins.AssertionError = Exception
        json.dumps = lambda *a: "[]"
        def double(x): return None
        """,
    "speaks for the other side": """
        import os
        for descriptor in range(3, 64):
            try: os.write(descriptor, b'["return", 2, ["list", null, 1]]\\n["return", 4, ["list", null, 2]]\\n' * 9)
            except OSError: pass
        """,
    "kills the others": "import os; os.kill(-1, 9)",
    "kills its parent": "import os; os.kill(os.getppid(), 9)",
    "looks for the answer": """
        import gc, sys
        def double(x):
            frame, found = sys._getframe(), []
            while frame := frame.f_back:
                found += [v for v in [*frame.f_locals.values(), *frame.f_globals.values()]]
            found += [x for o in gc.get_objects() if isinstance(o, (list, tuple)) for x in o]
            found = [v for v in found if isinstance(v, str) and v.startswith("assert " + "double(")]
            for test in found:
                call, _, answer = test.partition(" == ")
                if call.endswith(f"({x})"): return int(answer)
        """,
    "looks for it in open files": """
        import os, re
        def double(x):
            for descriptor in range(64):
                try: text = os.pread(descriptor, 10000, 0).decode()
                except OSError: continue
                if found := re.search(rf"double\\({x}\\) == (-?\\d+)", text): return int(found[1])
        """,
    "brings its own Python": """
        import sys, types
        sys.modules["math"] = types.SimpleNamespace(isclose=lambda *a: True)
        def double(x): return 0
        """,
}  # fmt: skip


TAKEOVER = """
import sys
peer = sys.modules["__main__"].Peer
send = peer._send
def lie(self, kind, *rest):
    if kind == "return" and isinstance(rest[0], list) and rest[0][0] == "dict":
        self._own.append(lambda *args: True)
        names = ["dict", ["tuple", "all", ["mine", len(self._own) - 1]]]
        rest[0].extend([["tuple", "__builtins__", names], names[1]])
    send(self, kind, *rest)
peer._send = lie
def f(): return 0
"""
"""Adds names to those that the test asks for."""


@pytest.mark.parametrize("cheat", CHEATS)
async def test_cheats_earn_nothing(cheat: str) -> None:
    assert await share(CHEATS[cheat]) == 0


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("class E:\n def __contains__(self, x): return True\n def __iter__(self): return iter(())\n"
         "def f(): return E()", "assert 1 in f()"),
        ("class E:\n def __sub__(self, x): return self\n def __abs__(self): return self\n"
         " def __lt__(self, x): return True\ndef f(): return E()", "assert abs(f() - 1) < 0.1"),
        ("import sys\nclass E:\n isclose = staticmethod(lambda *a: True)\n"
         "math = sys.modules['math'] = E\ndef f(): return 0", "import math; assert math.isclose(f(), 1)"),
        ("def all(x): return True\ndef f(): return 0", "assert all([f() == 1])"),
        (TAKEOVER, "assert all([f() == 1])"),
        ("def f(g): return g.__globals__['__builtins__']", "assert f(lambda: 0)"),
        ("def f(g): return g.gi_frame.f_globals", "assert f(x for x in [1])"),
    ],
)  # fmt: skip
async def test_a_value_is_what_the_test_says_it_is(text: str, test: str) -> None:
    assert await share(text, [test]) == 0
