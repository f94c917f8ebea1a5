"""The report in one file: what is in it, and what a browser makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.benchmarks.reports import html_page as page
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.errors import StoreError
from tests.benchmarks.tables import sql
from tests.browser import COMPLAINTS, Page, browser

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

Shown = Callable[[str, str], str]


@pytest.fixture
async def report(tmp_path: Path, bench_type: type[Bench]) -> Path:
    bench = bench_type(
        tmp_path, strategies=["greedy", "majority", "best-of-n", "beam"], problems=6, ns=[1, 4, 16],
        search_ns=[4],
    )  # fmt: skip
    await bench.run()
    return page.write(RunFolder(tmp_path), tmp_path / "report.html", count=3)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser for all tests here."""
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def shown(report: Path, screen: Page) -> Shown:
    """The document as a browser leaves it, at a place in it and after a script."""

    def dump(place: str, script: str = "") -> str:
        screen.open(report.as_uri() + place)
        screen.run(script)
        assert screen.named(*COMPLAINTS) == []
        return screen.document

    return dump


def told(report: Path) -> dict[str, Any]:
    found = re.search(r'type="application/json">(.*?)</script>', report.read_text())
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_it_holds_everything_and_fetches_nothing(report: Path) -> None:
    text, data = report.read_text(), told(report)
    outside = text.replace("http://www.w3.org/2000/svg", "").partition('id="data"')[0]
    assert "://" not in outside and "src=" not in text and "{{" not in text
    assert {p["strategy"] for p in data["points"]} == {
        "greedy",
        "majority",
        "best-of-n",
        "beam",
        "pass@k",
    }
    assert {r["strategy"] for r in data["rows"]} >= {"majority", "best-of-n", "beam"}
    assert [p["id"] for p in data["problems"]] == [f"test-{i}" for i in range(6)]
    with_trees = [any("tree" in a for a in p["attempts"]) for p in data["problems"]]
    assert with_trees == [True] * 3 + [False] * 3
    first = data["problems"][0]
    assert first["question"].count("+") == 5 and first["reference"].isdecimal()
    assert len(next(a for a in first["attempts"] if a["strategy"] == "best-of-n")["samples"]) == 16
    assert {"commit", "hardware", "packages"} <= set(data["environment"])


def test_nothing_stored_can_end_the_data(report: Path, tmp_path: Path) -> None:
    hostile = (
        """UPDATE specs SET environment = replace(environment, 'reasoner bench', '</script><b>')"""
    )
    sql(tmp_path, hostile)
    again = page.write(RunFolder(tmp_path), report)
    assert told(again)["environment"]["command"] == "</script><b>"
    assert again.read_text().count("</script>") == 2
    assert again.read_text().partition('id="data"')[2].partition("</script>")[0].count("<") == 0


def test_a_browser_draws_curves_and_tables(shown: Shown, report: Path) -> None:
    dom = shown("", "")
    points = told(report)["points"]
    assert dom.count('class="point"') == len(points)
    table = dom.partition('id="points"')[2].partition("</table>")[0]
    assert table.count("<tr") == 1 + len(points)
    assert "generated tokens per problem" in dom and "within noise" in dom
    assert (
        "undefined" not in dom.partition('id="data"')[0]
        and "NaN" not in dom.partition('id="data"')[0]
    )


def test_the_address_chooses_what_is_shown(shown: Shown, report: Path) -> None:
    problem = told(report)["problems"][1]
    beam = next(a for a in problem["attempts"] if a["strategy"] == "beam")
    dom = shown(f"#task=sums&against=seconds&problem={problem['id']}&attempt=beam+n%3D4", "")
    assert "seconds per problem" in dom.partition('id="data"')[0]
    drawn = dom.partition('class="tree"')[2].partition("</svg>")[0]
    assert drawn.count("<circle") == len(beam["tree"])
    assert drawn.count("✓") + drawn.count("✗") == sum("ended" in p for p in beam["tree"])
    assert f"{len(beam['tree']) - 1} pieces, {beam['tokens']} tokens" in dom


def test_clicks_and_hovers_do_what_they_say(shown: Shown) -> None:
    dom = shown(
        "",
        """
        [...document.querySelectorAll('#axes button')].find(b => b.textContent === 'flops').click();
        document.querySelectorAll('#problems tr.pick')[2].click();
        [...document.querySelectorAll('#one button')].find(b => b.textContent.includes('best-of-n')).click();
        document.querySelector('circle.point').dispatchEvent(new MouseEvent('mousemove', {clientX: 5, clientY: 5}));
        document.querySelectorAll('#points th')[2].click();
        """,
    )
    page_only = dom.partition('id="data"')[0]
    assert "FLOPs per problem, verifier included" in page_only
    assert re.search(r"<h2>test-2</h2>", page_only)
    samples = page_only.partition('id="one"')[2].partition("<table>")[2].partition("</table>")[0]
    assert samples.count("<tr>") == 17
    assert re.search(r'id="tip"[^>]*display: block[^>]*>\w[\w@-]* n=\d+\s', page_only)
    assert "accuracy ▲" in page_only


def test_commands_and_errors(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["report", str(tmp_path), "--out", str(tmp_path / "r.html"), "--problems", "3"]) == 0
    )
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
    assert told(tmp_path / "r.html")["problems"] == told(report)["problems"]
    assert main(["report", str(tmp_path / "no")]) == 2
    assert "cannot read" in capsys.readouterr().err
    with pytest.raises(StoreError, match="cannot write"):
        page.write(RunFolder(tmp_path), tmp_path / "r.html" / "r.html")
