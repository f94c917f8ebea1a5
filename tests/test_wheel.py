"""The wheel, built through the sdist, carries every module, the types marker and the weights."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests import ROOT
from tests.needs import need

need("build")

FOLDERS = {"reasoner": "reasoner", "search": "reasoner/search", "verifiers": "reasoner/verifiers",
           "benchmarks": "reasoner/benchmarks"}  # fmt: skip


CORE_MB = 280
"""The most that the core install may take."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_every_module_is_in_the_wheel(wheel: set[str]) -> None:
    modules = [
        f"{FOLDERS[folder]}/{rest}"
        for folder, _, rest in (path.partition("/") for path in tracked())
        if folder in FOLDERS and rest.endswith(".py")
    ]
    assert len(modules) > 40
    assert set(modules) <= wheel


def test_the_weights_and_the_types_marker_are_in_the_wheel(wheel: set[str]) -> None:
    gpt = [f"reasoner/gpt/{name}" for name in ("config.json", "model.safetensors", "reasoner.json",
                                               "tokenizer.json", "README.md")]  # fmt: skip
    assert {"reasoner/py.typed", *gpt} <= wheel


def test_the_core_installs_no_engine_and_no_statistics(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        [path] = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(path))
    assert metadata["Name"] == "test-time-compute"
    needed = [each for each in metadata.get_all("Requires-Dist", ()) if "extra ==" not in each]
    assert {re.split(r"[><=]", each)[0] for each in needed} == {
        "pydantic", "networkx", "rich", "httpx", "httpx-aiohttp", "jsonschema", "regex", "pyyaml", "shtab"
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bare_environment_answers_at_once(built: Path, tmp_path: Path) -> None:
    """The core is small when installed, and README's first example takes less than 2 seconds of CPU time."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(built)], check=True)
    sizes = [p.lstat().st_size for p in (tmp_path / "bare").rglob("*") if p.is_file()]
    assert sum(sizes) <= CORE_MB * 1e6
    [example, *_] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [python, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 0 and "83" in ended.stdout, ended.stderr[-2000:]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_the_weights_are_small() -> None:
    assert sum(f.stat().st_size for f in (ROOT / "reasoner" / "gpt").iterdir()) <= 32 * 2**20


@pytest.mark.parametrize("name", ["search", "verifiers", "benchmarks"])
def test_links_for_static_tools_are_there(name: str) -> None:
    assert (ROOT / "reasoner" / name).resolve() == ROOT / name
