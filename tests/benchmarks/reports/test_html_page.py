"""The report in one file: what is in it, and what a browser makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.benchmarks.reports import html_page as page
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.errors import StoreError
from tests.benchmarks.tables import sql
from tests.browser import COMPLAINTS, Page, browser
from tests.needs import need

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
    assert dom.partition('id="data"')[0].count('class="point"') == len(points)
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
    assert drawn.count(">✓") + drawn.count(">✗") == sum("ended" in p for p in beam["tree"])
    assert f"{len(beam['tree']) - 1} pieces, {beam['tokens']} tokens" in dom


def test_clicks_and_hovers_do_what_they_say(shown: Shown) -> None:
    dom = shown(
        "",
        """
        [...document.querySelectorAll('#axes button')].find(b => b.textContent === 'flops').click();
        document.querySelectorAll('#problems button.pick')[2].click();
        [...document.querySelectorAll('#problem button')].find(b => b.textContent.includes('best-of-n')).click();
        document.querySelectorAll('#points th button')[2].click();
        document.querySelector('.point').dispatchEvent(new PointerEvent('pointermove', {clientX: 5, clientY: 5}));
        """,
    )
    page_only = dom.partition('id="data"')[0]
    assert "FLOPs per problem, verifier included" in page_only
    assert re.search(r"<h2>test-2</h2>", page_only)
    samples = page_only.partition('class="samples"')[2].partition("</div>")[0]
    assert samples.count("<details>") == 16
    tip = page_only.partition('id="tip"')[2].partition("</div>")[0]
    assert re.search(r">\w[\w@-]* n=\d+\s", tip)
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


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark"), (2560, "light")])
def test_every_screen_can_be_read(report: Path, screen: Page, width: int, scheme: str) -> None:
    """No rule of axe-core is broken, nothing is wider than the window, and a picture fills its place."""
    need("axe_core_python")
    axe = files("axe_core_python").joinpath("axe.min.js").read_text()
    screen.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=900, deviceScaleFactor=1, mobile=width < 500,
    )  # fmt: skip
    screen.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    screen.open(report.as_uri())
    for attempt in ("best-of-n", "beam"):
        screen.run(
            "document.querySelector('button.pick').click();"
            " [...document.querySelectorAll('#problem .bar button')]"
            f".find(b => b.textContent.startsWith({attempt!r})).click();"
            " document.querySelectorAll('details').forEach(d => { d.open = true; })"
        )
        screen.run(axe + "; 0")
        broken = "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))"
        assert screen.run(broken) == []
        assert screen.run("document.documentElement.scrollWidth <= innerWidth")
    drawn, place = screen.run(
        "['#curve svg', '#curve'].map(s => document.querySelector(s).getBoundingClientRect().width)"
    )
    assert drawn == pytest.approx(place, abs=1)


def test_the_keyboard_keeps_its_place(report: Path, screen: Page) -> None:
    screen.open(report.as_uri())
    for selector in ("#legend button", "#points th button", "#problems button.pick"):
        screen.run(f"document.querySelector({selector!r}).focus()")
        before = screen.run("document.activeElement.dataset.key")
        for kind in ("keyDown", "keyUp"):
            screen.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter",
                windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "",
            )  # fmt: skip
        assert before and screen.run("document.activeElement.dataset.key") == before
    assert screen.run("document.querySelector('#legend button').ariaPressed") == "false"
    assert screen.run("document.querySelector('#problem h2').textContent") == "test-0"
    screen.run("document.querySelector('.point').focus()")
    assert " n=" in screen.run("document.querySelector('#tip:not([hidden])').textContent")


def test_disagreements_are_one_choice_away(report: Path, screen: Page) -> None:
    problems = told(report)["problems"]
    names = list(
        dict.fromkeys(f"{a['strategy']} {a['size']}" for p in problems for a in p["attempts"])
    )
    screen.open(report.as_uri())
    for right in names:
        for wrong in names:
            screen.run(
                f"document.querySelector('#right-with').value = {json.dumps(right)};"
                f" document.querySelector('#wrong-with').value = {json.dumps(wrong)};"
                " document.querySelector('#wrong-with').dispatchEvent(new Event('input'))"
            )
            shown = screen.run(
                "[...document.querySelectorAll('button.pick')].map(b => b.textContent.split(' ')[0])"
            )
            outcomes = [
                {f"{a['strategy']} {a['size']}": a["correct"] for a in p["attempts"]}
                for p in problems
            ]
            assert shown == [
                p["id"]
                for p, by in zip(problems, outcomes, strict=True)
                if by.get(right) is True and by.get(wrong) is False
            ]
