"""The wheel, built through the sdist, carries every module, the types marker and the weights."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests import ROOT

FOLDERS = {"reasoner": "reasoner", "search": "reasoner/search", "verifiers": "reasoner/verifiers",
           "benchmarks": "reasoner/benchmarks"}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
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


def test_the_weights_are_small() -> None:
    assert sum(f.stat().st_size for f in (ROOT / "reasoner" / "gpt").iterdir()) <= 32 * 2**20


@pytest.mark.parametrize("name", ["search", "verifiers", "benchmarks"])
def test_links_for_static_tools_are_there(name: str) -> None:
    assert (ROOT / "reasoner" / name).resolve() == ROOT / name
