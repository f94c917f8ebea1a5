"""The table of all strategies at the tokens of eight samples, computed from the committed results."""

from __future__ import annotations

from tests.results import FLOPS, TASKS, TOKENS, Json, gain, load, row

FOLDER = "strategies"
SAMPLES = 8
LEAST = 0.9
"""The share of the tokens below which a strategy could not spend the budget."""


def table() -> list[str]:
    """Each strategy beside best-of-N at the same tokens and FLOPs, the highest mean gain at equal tokens first."""
    rows = {r["strategy"]: r["n"] for r in load(f"{FOLDER}/comparison")}
    ranked = sorted(
        rows, key=lambda name: -sum(at(t, TOKENS, name, rows[name])["gain"] for t in TASKS)
    )
    return [
        f"| {' | '.join([f'`{name}`', str(rows[name]), *cells(name, rows[name])])} |"
        for name in ranked
    ]


def cells(name: str, n: int) -> list[str]:
    """Accuracy, gains and tokens on each task; a star marks tokens well below those of eight samples."""
    found = list[str]()
    for task in TASKS:
        tokens, flops = (at(task, cost, name, n) for cost in (TOKENS, FLOPS))
        star = "*" if tokens["spent"] < LEAST * budget(task) else ""
        found += [
            f"{tokens['accuracy']:.3f}",
            f"{tokens['spent']:,.0f}{star}",
            gain(tokens),
            gain(flops),
        ]
    return found


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
