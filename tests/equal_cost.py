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
    """Every strategy on word problems, as above."""
    rows = {(r["strategy"], r["cost"]): r for r in load(f"{WORDS}/comparison")}
    enough = LEAST * rows["majority", TOKENS]["spent"]
    ranked = sorted(
        (r for (_, cost), r in rows.items() if cost == TOKENS), key=lambda r: -r["gain"]
    )
    return [
        f"| `{r['strategy']}`, {r['n']} | {cells(r, enough)} | {gained(rows[r['strategy'], FLOPS])} |"
        for r in ranked
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
