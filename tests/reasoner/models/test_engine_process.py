"""Engines on CPU cores are forked from a process that has imported vLLM."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from multiprocessing import forkserver
from pathlib import Path

import pytest

from reasoner.models import engine_process
from tests.needs import need

SCRIPT = """
import os, sys
from pathlib import Path
from setproctitle import setproctitle
from reasoner.models import engine_process

def child(queue):
    setproctitle("titled")
    title, began = Path("/proc/self/comm").read_text(), Path(f"/proc/{os.getppid()}/environ").read_bytes()
    assert title == "titled\\n" and b"MALLOC_TRIM_THRESHOLD_=" in began
    queue.put((os.environ["LATER"], "GONE" in os.environ, "colorsys" in sys.modules, os.getppid()))

if __name__ == "__main__":
    engine_process.MODULES = ["colorsys"]
    engine_process.forks = lambda: True
    os.environ["GONE"] = "unset after it"
    engine_process.import_ahead()
    del os.environ["GONE"]
    os.environ["LATER"] = "set after the server"
    context = engine_process._Context()
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    value, gone, imported, parent = queue.get(timeout=20)
    process.join()
    print(value, gone, imported, parent != os.getpid())
"""


def test_a_forked_process_has_the_imports_of_its_server_and_todays_environment(
    tmp_path: Path,
) -> None:
    need("setproctitle")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    done = subprocess.run(
        [sys.executable, script], check=False, capture_output=True, text=True, timeout=30
    )

    assert done.stdout == "set after the server False True True\n", done.stderr


def test_a_build_for_gpus_spawns_its_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    started = list[int]()
    monkeypatch.setattr(engine_process, "distribution", missing)
    monkeypatch.setattr(forkserver, "ensure_running", lambda: started.append(1))

    engine_process.import_ahead()

    assert not engine_process.forks()
    assert not started


@pytest.mark.engine
def test_vllm_takes_the_forking_context(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.engine import utils

    chooser = engine_process.CHOOSER
    monkeypatch.setattr(utils, chooser, getattr(utils, chooser))
    engine_process.fork_engines()

    assert getattr(utils, chooser)().get_start_method() == "forkserver"
