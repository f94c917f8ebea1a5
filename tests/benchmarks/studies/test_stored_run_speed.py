"""The study of the time that reading a run takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner.benchmarks.studies import stored_run_speed as study
from reasoner.errors import ConfigError
from tests.benchmarks.conftest import Bench


@pytest.mark.slow
async def test_two_checkouts_are_measured_in_turn(
    tmp_path: Path, bench_type: type[Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    await bench_type(tmp_path, strategies=["best-of-n"], problems=4).run()
    study.main([str(tmp_path), "--against", str(study.HERE)])
    plot, report, files = capsys.readouterr().out.splitlines()
    assert plot.startswith("plot: this checkout") and report.startswith("report: this checkout")
    assert "ratio" in plot and files == "files that differ: none"
    assert not (tmp_path / "report.html").exists()


def test_another_checkout_has_the_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give the root of a checkout"):
        study.checkout(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "curve.svg").write_text("one")
    assert study.different(tmp_path / "a", tmp_path / "b") == ["curve.svg"]
