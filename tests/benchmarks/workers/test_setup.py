"""Requests for workers, and errors before anything is spent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.sessions import read_sessions
from reasoner.benchmarks.store.worker_use import (
    FILE,
    WorkerSession,
    WorkerUse,
    add_session,
    total,
)
from reasoner.benchmarks.workers import ray_cluster
from reasoner.benchmarks.workers.messages import WorkerSetup
from reasoner.benchmarks.workers.placement import engine_resources, engine_settings, room
from reasoner.benchmarks.workers.ray_cluster import connected
from reasoner.benchmarks.workers.ray_worker import RayWorker, check_version, check_weights, version
from reasoner.benchmarks.workers.spec import WorkersSpec
from reasoner.errors import ConfigError, MissingPackage, StoreError
from tests.needs import need

GRID = Grid(
    tasks=("dagmath",),
    strategies=("majority",),
    ns=(1,),
    problems=2,
    model="scripted",
    backend="scripted",
)


def test_specs_are_read() -> None:
    assert WorkersSpec.parse("ray") == WorkersSpec()
    assert WorkersSpec.parse("ray:auto") == WorkersSpec(address="auto")
    assert WorkersSpec.parse("ray:10.0.0.7:6379(engines=4, cpus=0.5, gpus=2)") == WorkersSpec(
        address="10.0.0.7:6379", engines=4, cpus=0.5, gpus=2
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dask", "names no workers; write ray, ray:HOST:PORT"),
        ("ray:", "names no workers"),
        ("ray:here", "names no workers"),
        ("ray:http://h:1", "names no workers"),
        ("ray(engine=2)", "no setting 'engine'; did you mean engines?"),
        ("ray(address='h:1')", "no setting 'address'"),
        ("ray(engines=0)", "greater than or equal to 1"),
        ("ray(cpus=-1)", "greater than 0"),
        ("ray(gpus=65)", "less than or equal to 64"),
        ("ray(2)", "is not a name with settings"),
    ],
)
def test_wrong_specs_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        WorkersSpec.parse(text)
    assert message in str(raised.value)


@given(st.text(max_size=30))
def test_any_text_is_a_spec_or_an_error(text: str) -> None:
    try:
        workers = WorkersSpec.parse(f"ray{text}")
    except ConfigError:
        return
    assert workers.engines is None or workers.engines > 0


NODES = [{"CPU": 16.0, "GPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}]
PLAIN = [{"CPU": 16.0}, {"CPU": 8.0}]


@pytest.mark.parametrize(
    ("backend", "workers", "nodes", "expected", "fits"),
    [
        ("scripted", "ray", NODES, {"CPU": 1.0}, 24),
        ("scripted", "ray(cpus=0.1)", PLAIN, {"CPU": 0.1}, 240),
        ("openai", "ray(cpus=4)", PLAIN, {"CPU": 4.0}, 6),
        ("vllm", "ray", NODES, {"CPU": 1.0, "GPU": 1.0}, 6),
        ("vllm(tensor_parallel_size=2)", "ray", NODES, {"CPU": 1.0, "GPU": 2.0}, 3),
        ("vllm(tensor_parallel_size=2, data_parallel_size=2)", "ray", NODES, {"CPU": 1.0, "GPU": 4.0}, 1),
        ("vllm(tensor_parallel_size=8)", "ray", NODES, {"CPU": 1.0, "GPU": 8.0}, 0),
        ("vllm", "ray(gpus=3, cpus=2)", NODES, {"CPU": 2.0, "GPU": 3.0}, 1),
        ("vllm", "ray", PLAIN, {"CPU": 8.0}, 3),
        ("vllm", "ray(gpus=0)", NODES, {"CPU": 8.0}, 3),
    ],
)  # fmt: skip
def test_an_engine_reserves_what_its_backend_needs(
    backend: str, workers: str, nodes: list[dict[str, float]], expected: dict[str, float], fits: int
) -> None:
    needs = engine_resources(backend, WorkersSpec.parse(workers), nodes)
    assert needs == expected
    assert room(needs, nodes) == fits


def test_processes_of_a_parallel_engine_stay_on_its_node() -> None:
    parallel = {"backend": "vllm(tensor_parallel_size=2)"}
    assert engine_settings(parallel)["distributed_executor_backend"] == "mp"
    for backend in (
        "vllm",
        "scripted",
        "vllm(tensor_parallel_size=2, distributed_executor_backend='uni')",
    ):
        assert engine_settings({"backend": backend}) == {"backend": backend}
    with pytest.raises(ConfigError, match="leave it out"):
        engine_resources("vllm(distributed_executor_backend='ray')", WorkersSpec(), NODES)


def test_another_version_is_refused() -> None:
    check_version(version(), version())
    check_version({"version": "1", "commit": "a"}, {"version": "1", "commit": None})
    for part in ("version", "commit"):
        with pytest.raises(ConfigError, match=f"has {part} x there, and .* at the driver"):
            check_version(version(), {**version(), part: "x"})


def test_other_weights_are_refused(tmp_path: Path) -> None:
    check_weights("", str(tmp_path))
    with pytest.raises(ConfigError, match="are missing there, and abc at the driver"):
        check_weights("abc", str(tmp_path / "none"))
    (tmp_path / "model.safetensors").write_bytes(b"others")
    with pytest.raises(ConfigError, match=r"are \w{12} there, and abc at the driver"):
        check_weights("abc", str(tmp_path))


def described(**fields: Any) -> str:
    """Return why a worker refuses to work."""
    usual = {"grid": GRID, "model": "scripted", "engine": {"backend": "scripted"}}
    setup = WorkerSetup(
        **{**usual, "examples": Solvers(GRID).examples, "version": version(), **fields}
    )
    return asyncio.run(RayWorker(setup).describe()).refusal


def test_a_worker_tells_why_it_cannot_work(tmp_path: Path) -> None:
    assert described() == ""
    assert "9 at the driver" in described(version={"version": "9"})
    missing = {"model": str(tmp_path / "none"), "engine": {"backend": "transformers"}}
    assert str(tmp_path / "none") in described(**missing)
    assert "no setting 'delays'" in described(engine={"backend": "scripted(delays=1)"})
    assert "KeyError" in described(engine={"backend": KeyError})


def test_ray_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.extras.installed", lambda _: False)
    needed = r"--workers ray needs ray.*test-time-compute\[ray\]"
    with pytest.raises(MissingPackage, match=needed), connected(WorkersSpec()):
        pass


def test_an_address_where_nothing_listens_is_refused_at_once() -> None:
    need("ray")
    with (
        pytest.raises(ConfigError, match=r"no Ray cluster at 127.0.0.1:9: .*refused; `ray status`"),
        connected(WorkersSpec.parse("ray:127.0.0.1:9")),
    ):
        pass


def test_a_start_that_takes_too_long_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    tries = list[str]()

    def init(**_: Any) -> None:
        tries.append("init")
        if len(tries) < 3:
            raise RuntimeError("The current node timed out during startup. This could happen")

    monkeypatch.setattr(ray, "init", init)
    ray_cluster._init("local")
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr(ray, "init", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ray_cluster._init("local")


def use(worker: str, **fields: Any) -> WorkerUse:
    """Return the use of a worker."""
    return WorkerUse(
        **{"worker": worker, "node": {}, "problems": 2, "seconds": 4.0, "tokens": 8.0, **fields}
    )


def test_the_sum_of_workers() -> None:
    both = total([use("a", prompt_tokens_cached=3), use("b", seconds=8.0, prompt_tokens_fresh=1)])
    assert (both.problems, both.rate, both.cached) == (4, 2.0, 0.75)
    assert str(both) == "2 workers: 4 problems, 2 tokens/s, 75.0% of prompt tokens cached"
    assert total([]).rate == total([]).cached == 0.0


def test_sessions_are_kept_side_by_side(tmp_path: Path) -> None:
    for date, tokens in (("1", 1.0), ("2", 2.0), ("1", 3.0)):
        add_session(WorkerSession(date=date, workers=(use("a", tokens=tokens),)), tmp_path)
    stored = read_sessions(WorkerSession, tmp_path / FILE)
    assert [(s.date, s.workers[0].tokens) for s in stored] == [("2", 2.0), ("1", 3.0)]
    (tmp_path / FILE).write_text("[1]")
    with pytest.raises(StoreError, match=r"workers.json is corrupt"):
        read_sessions(WorkerSession, tmp_path / FILE)
