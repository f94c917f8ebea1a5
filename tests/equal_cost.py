"""The tables of strategies at equal cost, computed from the committed results."""

from __future__ import annotations

from tests.results import FLOPS, TASKS, TOKENS, Json, gain, load, row

FOLDER = "strategies"
WORDS = "words"
SAMPLES = 8
LEAST = 0.9
"""The share of the tokens below which a strategy could not spend the budget."""


EQUAL = {
    "`step-rejection`, up to 16": ("step-rejection", 16), "`step-rejection`, up to 64": ("step-rejection", 64),
    "`adaptive-best-of-n`, up to 64": ("adaptive-best-of-n", 64), "`auto`, up to 64": ("auto", 64),
    "`rebase`, 4": ("rebase", 4), "`rebase`, 16": ("rebase", 16), "`beam`, 4": ("beam", 4), "`beam`, 16": ("beam", 16),
    "`particle`, 4": ("particle", 4), "`particle`, 16": ("particle", 16), "`majority`, 16": ("majority", 16),
}  # fmt: skip


def table() -> list[str]:
    """Each strategy's accuracy, and its gain on best-of-N at the same tokens and at the same FLOPs."""
    return [line(name, *which, "comparison") for name, which in EQUAL.items()]


def table_of_all() -> list[str]:
    """Every strategy in the size that spends about eight samples, the highest mean gain at equal tokens first."""
    sizes = {r["strategy"]: r["n"] for r in load(f"{FOLDER}/comparison")}
    gains = {s: sum(at(t, TOKENS, s, n)["gain"] for t in TASKS) for s, n in sizes.items()}
    ranked = sorted(sizes, key=lambda name: -gains[name])
    return [line(f"`{s}`, {sizes[s]}", s, sizes[s], FOLDER) for s in ranked]


def table_of_words() -> list[str]:
    """Every strategy on word problems, in the size that spends about eight samples, as above."""
    rows = {(r["strategy"], r["n"], r["cost"]): r for r in load(f"{WORDS}/comparison")}
    names = {name for name, *_ in rows} - {"best-of-n"}
    sizes = {s: max(n for name, n, _ in rows if name == s and n != 2 * SAMPLES) for s in names}
    enough = LEAST * rows["majority", SAMPLES, TOKENS]["spent"]
    ranked = sorted(sizes.items(), key=lambda which: (-rows[*which, TOKENS]["gain"], which))
    return [
        f"| `{s}`, {n} | {cells(rows[s, n, TOKENS], enough)} | {gained(rows[s, n, FLOPS])} |"
        for s, n in ranked
    ]


def sentences_on_words() -> list[str]:
    """Return the sentences beside the table of word problems."""
    points = {(p["strategy"], p["n"]): p["accuracy"] for p in load(f"{WORDS}/summary")}
    greedy, one, eight, sixteen = (
        points[each] for each in (("greedy", 1), ("pass@k", 1), ("best-of-n", 8), ("best-of-n", 16))
    )
    rows = [r for r in load(f"{WORDS}/comparison") if r["n"] != 2 * SAMPLES]
    clear = sorted({r["strategy"] for r in rows if (r["p_holm"] or 1) < 0.05 and r["gain"] > 0})
    assert clear == ["greedy"]
    assert all(r["gain"] < 0 for r in rows if r["strategy"] in ("deepconf", "self-certainty"))
    return [
        f"Greedy decoding solves {greedy:.3f}, one sample {one:.3f}, best-of-8 {eight:.3f} and best-of-16 {sixteen:.3f}",
        f"`particle`, `step-rejection` and `rebase` have {points['particle', 8]:.3f}, {points['step-rejection', 10]:.3f} and"
        f" {points['rebase', 8]:.3f}",
    ]


def cells(found: Json, enough: float) -> str:
    """Return accuracy and gain at equal tokens, with a star where less than `enough` was spent."""
    star = "\\*" if found["spent"] < enough else ""
    return f"{found['accuracy']:.3f} | {gain(found)} ({found['spent']:,.0f}{star})"


def gained(found: Json) -> str:
    """Return the gain at equal FLOPs, with GFLOPs."""
    return f"{gain(found)} ({found['spent'] / 1e9:,.0f})"


def line(name: str, strategy: str, n: int, folder: str) -> str:
    """Return a row of a table: accuracy, and both gains with what was spent, on each task."""
    cells = [name]
    for task in TASKS:
        tokens, flops = (row(task, cost, strategy, n, folder) for cost in (TOKENS, FLOPS))
        star = "\\*" if folder == FOLDER and tokens["spent"] < LEAST * budget(task) else ""
        cells += [
            f"{tokens['accuracy']:.3f}",
            f"{gain(tokens)} ({tokens['spent']:,.0f}{star})",
            f"{gain(flops)} ({flops['spent'] / 1e9:.1f})",
        ]
    return f"| {' | '.join(cells)} |"


def at(task: str, cost: str, strategy: str, n: int) -> Json:
    """Return a strategy at equal cost."""
    return row(task, cost, strategy, n, FOLDER)


def budget(task: str) -> float:
    """Return the tokens of eight samples."""
    return float(at(task, TOKENS, "majority", SAMPLES)["spent"])


def sentences() -> list[str]:
    """Return the sentences beside the table."""
    best, coverage = (
        [point(t, name)["accuracy"] for t in TASKS] for name in ("best-of-n", "pass@k")
    )
    wide = [
        (t, name)
        for t in TASKS
        for name in ("beam", "dvts", "rebase", "particle", "particle-gibbs")
    ]
    gains = [
        [100 * at(t, cost, name, SAMPLES)["gain"] for t, name in wide] for cost in (TOKENS, FLOPS)
    ]
    confident, single = point("dagmath", "deepconf"), point("dagmath", "pass@k", 1)
    voted = max(
        abs(point(t, name)["accuracy"] - point(t, "majority")["accuracy"])
        for t in TASKS
        for name in ("esc", "parallel-probe", "adaptive-majority", "self-certainty")
    )
    assert voted < 0.05
    return [
        f"best-of-8 has {best[0]:.3f} and {best[1]:.3f}, eight samples contain a right one in {coverage[0]:.3f} and"
        f" {coverage[1]:.3f}",
        f"gain {min(gains[0]):.0f} to {max(gains[0]):.0f} points at equal tokens, and no more than {max(gains[1]):.1f}"
        " at equal FLOPs",
        f"`deepconf` is below one sample ({confident['accuracy']:.3f} and {single['accuracy']:.3f})",
    ]


def point(task: str, strategy: str, n: int = SAMPLES) -> Json:
    """Return a point of the run."""
    asked = (task, strategy, n)
    points = load(f"{FOLDER}/summary")
    return dict(next(p for p in points if (p["task"], p["strategy"], p["n"]) == asked))
