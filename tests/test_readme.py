"""The README's example runs as it stands, and the names it lists are the registry's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reasoner.registry import backends, strategies, tasks, verifiers

README = (Path(__file__).parent.parent / "README.md").read_text()
RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]


def test_the_example_is_short() -> None:
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 12


def test_ci_runs_every_command() -> None:
    listed = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    commands = [line.partition("  #")[0].strip() for block in listed for line in block.splitlines()]
    assert len(commands) >= 7
    ran = (Path(__file__).parent.parent / ".ci" / "run").read_text()
    for command in filter(None, commands):
        assert re.sub(r" runs/(\w+)", r' "$out/\1"', command) in ran


ROWS = {
    "one sample (pass@1)": ("pass@k", 1), "greedy": ("greedy", 1), "majority of 256": ("majority", 256),
    "best of 4": ("best-of-n", 4), "best of 16": ("best-of-n", 16), "best of 64": ("best-of-n", 64),
    "best of 256": ("best-of-n", 256), "weighted vote of 256": ("weighted", 256),
    "pass@256 (coverage)": ("pass@k", 256), "beam, 4 wide": ("beam", 4), "beam, 16 wide": ("beam", 16),
    "particle filter, 4": ("particle", 4), "particle filter, 16": ("particle", 16), "MCTS, 4": ("mcts", 4),
    "MCTS, 16": ("mcts", 16), "step-rejection, up to 16": ("step-rejection", 16),
    "step-rejection, up to 64": ("step-rejection", 64),
}  # fmt: skip


def test_the_table_of_results_is_that_of_the_results() -> None:
    summary = json.loads((RESULTS / "full" / "summary.json").read_text())
    points = {(p["task"], p["strategy"], p["n"]): p for p in summary}
    for name, (strategy, n) in ROWS.items():
        cells = [name]
        for task in ("dagmath", "countdown"):
            p = points[task, strategy, n]
            interval = f"({p['ci_low']:.3f}-{p['ci_high']:.3f})"
            cells += [f"{p['accuracy']:.3f} {interval}", f"{p['generated_tokens']:,.0f}"]
        assert f"\n| {' | '.join(cells)} |\n" in README


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_example_runs(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    script = tmp_path / "example.py"
    script.write_text(EXAMPLE)
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False,
        cwd=tmp_path, env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert re.search(r"\d+[-+*/]\d+=\d+:", ran.stdout)
    assert " done " in ran.stdout or " budget " in ran.stdout


@pytest.mark.parametrize(
    ("row", "registry"),
    [
        ("strategies", strategies),
        ("verifiers", verifiers),
        ("backends", backends),
        ("tasks", tasks),
    ],
)
def test_every_listed_name_is_registered(row: str, registry: object) -> None:
    [listed] = re.findall(rf"^\| {row} \| (.*) \|$", README, re.MULTILINE)
    assert set(re.findall(r"`([a-z0-9.-]+)`", listed)) == set(registry.names())  # type: ignore[attr-defined]
