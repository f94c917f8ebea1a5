"""The tables and sentences of the pages on results, computed from the committed results."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from reasoner.registry import strategies
from tests import ROOT

RESULTS = ROOT / "benchmarks" / "results"
TASKS = ("dagmath", "countdown")
TOKENS, FLOPS = COSTS = ("generated_tokens", "flops")
Json = dict[str, Any]

POINTS = {
    "one sample (pass@1)": ("pass@k", 1), "greedy": ("greedy", 1), "majority of 256": ("majority", 256),
    "best of 4": ("best-of-n", 4), "best of 16": ("best-of-n", 16), "best of 64": ("best-of-n", 64),
    "best of 256": ("best-of-n", 256), "weighted vote of 256": ("weighted", 256),
    "pass@256 (coverage)": ("pass@k", 256), "beam, 4 wide": ("beam", 4), "beam, 16 wide": ("beam", 16),
    "particle filter, 4": ("particle", 4), "particle filter, 16": ("particle", 16), "MCTS, 4": ("mcts", 4),
    "MCTS, 16": ("mcts", 16), "step-rejection, up to 16": ("step-rejection", 16),
    "step-rejection, up to 64": ("step-rejection", 64),
}  # fmt: skip


FINAL = {
    "one sample (pass@1)": ("pass@k", 1), "greedy": ("greedy", 1), "majority of 16": ("majority", 16),
    "best of 4": ("best-of-n", 4), "best of 16": ("best-of-n", 16), "pass@16 (coverage)": ("pass@k", 16),
    "beam, 4 wide": ("beam", 4), "beam, 16 wide": ("beam", 16), "particle filter, 4": ("particle", 4),
    "particle filter, 16": ("particle", 16), "step-rejection, up to 16": ("step-rejection", 16),
    "step-rejection, up to 64": ("step-rejection", 64),
}  # fmt: skip


def table_of_final_points() -> list[str]:
    """Accuracy and tokens of each method on problems that no choice has seen."""
    points = {(p["task"], p["strategy"], p["n"]): p for p in load("final/summary")}
    return [
        f"| {' | '.join([name, *(cell for task in TASKS for cell in cells(points[task, *which]))])} |"
        for name, which in FINAL.items()
    ]


def cells(point: Json) -> tuple[str, str]:
    """An accuracy with its interval, and the tokens of a problem."""
    return f"{point['accuracy']:.3f} ({point['ci_low']:.3f}-{point['ci_high']:.3f})", tokens(point)


def table_of_points() -> list[str]:
    """Accuracy and tokens of each method on each task."""
    lines = list[str]()
    for name, (strategy, n) in POINTS.items():
        cells = [name]
        for task in TASKS:
            p = point(task, strategy, n)
            cells += [f"{p['accuracy']:.3f} ({p['ci_low']:.3f}-{p['ci_high']:.3f})", tokens(p)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def sentences() -> list[str]:
    """Return the sentences beside the tables, number by number."""
    per_doubling = [
        scaled("full/scaling-16", t, TOKENS, "best-of-n")["line"]["doubling"] for t in TASKS
    ]
    doubled = [100 * d["value"] for d in per_doubling]
    missed = max(
        point(t, "pass@k", n)["accuracy"] - point(t, "best-of-n", n)["accuracy"]
        for t in TASKS for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)
    )  # fmt: skip
    votes = [point(t, "majority", 256)["accuracy"] for t in TASKS]
    fewer = [[saved(t, cost) for t in TASKS] for cost in COSTS]
    mcts = [row("dagmath", cost, "mcts", 16, "full") for cost in COSTS]
    whole = [point_at_equal_cost(t, "best-of-n", 64) for t in TASKS]
    rejected = [point_at_equal_cost(t, "step-rejection", 64) for t in TASKS]
    shares = [
        [round(w[cost] / r[cost]) for w, r in zip(whole, rejected, strict=True)] for cost in COSTS
    ]
    auto = load("fit-auto/auto-rival")["comparisons"]
    both, saving = auto["all"], auto["all"]["saving"]
    low, high = dearer()
    return [
        f"twice the tokens buy best-of-N {doubled[0]:.1f} points on `dagmath` and {doubled[1]:.1f} on `countdown`",
        f"within {100 * missed:.1f} points of pass@N at every N",
        f"level off at {votes[0]:.2f} and {votes[1]:.2f}",
        f"needs {fewer[0][0]:.1f} and {fewer[0][1]:.1f} times fewer tokens than best-of-N,"
        f" and {fewer[1][0]:.1f} and {fewer[1][1]:.1f} times fewer FLOPs",
        f"with 16 simulations it is {-100 * mcts[0]['gain']:.1f} ± {half(mcts[0]):.1f} points behind best-of-N at"
        f" the same tokens, and {-100 * mcts[1]['gain']:.1f} ± {half(mcts[1]):.1f} at the same FLOPs",
        f"pays {low:.1f} to {high:.1f} times the FLOPs per token",
        f"has {rejected[0]['accuracy']:.3f} and {rejected[1]['accuracy']:.3f} where best-of-64 has"
        f" {whole[0]['accuracy']:.3f} and {whole[1]['accuracy']:.3f}, with 1/{shares[0][0]} and 1/{shares[0][1]}"
        f" of its tokens and 1/{shares[1][0]} and 1/{shares[1][1]} of its FLOPs",
        f"it has {both['accuracy']:.3f} for {both['cost'] / 1e9:.1f}e9 FLOPs",
        f"(`step-rejection` up to 64, {both['rival_accuracy']:.3f}) costs {saving['value']:.2f}"
        f" ({saving['low']:.2f}-{saving['high']:.2f}) times as much",
        f"costs {auto['countdown']['saving']['value']:.2f} (`countdown`) and"
        f" {auto['dagmath']['saving']['value']:.2f} (`dagmath`) times as much",
        f"each task has {row('dagmath', TOKENS, 'beam', 4)['comparisons']} such comparisons at equal tokens",
    ]


def absent() -> str:
    """The strategies that no committed comparison has."""
    names = {r["strategy"].partition("(")[0] for r in load("strategies/summary")}
    return ", ".join(f"`{name}`" for name in strategies.names() if name not in names)


def sides(task: str, cost: str, n: int) -> dict[str, str]:
    """Return how the tree searches compare with best-of-N at equal cost."""
    return {name: side(row(task, cost, name, n)) for name in ("beam", "rebase", "particle")}


def side(found: Json) -> str:
    """Ahead of best-of-N, behind it, or neither beyond the interval."""
    low, high = found["gain_low"], found["gain_high"]
    return "level" if low <= 0 <= high else "ahead" if low > 0 else "behind"


def dearer() -> tuple[float, float]:
    """The least and the most FLOPs a token of a tree search, as a multiple of best-of-N's in its size."""
    found = list[float]()
    for task in TASKS:
        for n in (4, 16):
            best = point_at_equal_cost(task, "best-of-n", n)
            for strategy in ("beam", "particle", "rebase"):
                ours = point_at_equal_cost(task, strategy, n)
                found.append((ours[FLOPS] / ours[TOKENS]) / (best[FLOPS] / best[TOKENS]))
    return min(found), max(found)


def gain(found: Json) -> str:
    """Points with half of the interval."""
    return f"{100 * found['gain']:+.1f} ± {half(found):.1f}"


def half(found: Json) -> float:
    """Half of the interval of a gain, in points."""
    return 50 * float(found["gain_high"] - found["gain_low"])


def tokens(found: Json) -> str:
    """Generated tokens a problem."""
    return f"{found['generated_tokens']:,.0f}"


def saved(task: str, cost: str) -> float:
    """Return the factor by which step-rejection needs less compute than best-of-N for 90 %."""
    file = f"comparison/{task}/scaling"
    multiplier = scaled(file, task, cost, "step-rejection")["multiplier"]
    assert multiplier["accuracy"] == 0.9
    return float(multiplier["value"])


def point(task: str, strategy: str, n: int) -> Json:
    """Return a point of the full run, or of the comparison where the full run has none."""
    points = (*load("full/summary"), *load(f"comparison/{task}/summary"))
    return dict(
        next(p for p in points if (p["task"], p["strategy"], p["n"]) == (task, strategy, n))
    )


def row(task: str, cost: str, strategy: str, n: int, folder: str = "comparison") -> Json:
    """A strategy at equal cost."""
    asked = (task, cost, strategy, n)
    rows = load(f"{folder}/comparison")
    [found] = [r for r in rows if (r["task"], r["cost"], r["strategy"], r["n"]) == asked]
    return dict(found)


def point_at_equal_cost(task: str, strategy: str, n: int) -> Json:
    """Accuracy and both costs of a strategy in the comparison."""
    found = [row(task, cost, strategy, n) for cost in COSTS]
    return {"accuracy": found[0]["accuracy"], TOKENS: found[0]["spent"], FLOPS: found[1]["spent"]}


def of_training() -> list[str]:
    """Sentences on accuracy against training compute."""
    document = load("train-time/train")
    first, *_, last = document["checkpoints"]

    def both(strategy: str, n: str) -> str:
        values = [each["accuracy"][strategy][n]["value"] for each in (first, last)]
        return f"from {values[0]:.3f} to {values[1]:.3f}"

    [single] = [c for c in document["curves"] if (c["strategy"], c["n"]) == ("pass@k", 1)]
    [forecast], gain = single["forecasts"], single["line"]["doubling"]
    [whole] = [
        s["multiplier"] for s in document["search_saved"]
        if (s["strategy"], s["before"], s["after"]) == ("best-of-n", 0, last["train_flops"])
    ]  # fmt: skip
    answers = [each["distinct_answers"]["value"] for each in (first, last)]
    return [
        f"raise the accuracy of one sample {both('pass@k', '1')} and that of a majority of 64 {both('majority', '64')}"
        f" ({last['problems']} test problems)",
        f"Each doubling of training adds {100 * gain['value']:.1f} points to one sample ({100 * gain['low']:.1f} to"
        f" {100 * gain['high']:.1f}), and a sigmoid through the start and the first three rounds predicts"
        f" {forecast['predicted']['value']:.3f} for the last, where {forecast['measured']['value']:.3f} was measured",
        f"coverage does not follow: pass@64 goes {both('pass@k', '64')}, and a problem's distinct answers from"
        f" {answers[0]:.1f} to {answers[1]:.1f}",
        f"The verdicts' AUC stays at {last['auc']['value']:.3f}",
        f"at {whole['accuracy']:.0%} best-of-N needs {whole['value']:.2f} times less ({whole['low']:.2f} to"
        f" {whole['high']:.2f}) after the last round than before",
    ]


def scaled(file: str, task: str, cost: str, strategy: str) -> Json:
    """Return the scaling of a strategy."""
    rows = load(file)["strategies"]
    asked = (task, cost, strategy)
    [found] = [r for r in rows if (r["task"], r["cost"], r["strategy"]) == asked]
    return dict(found)


@cache
def load(name: str) -> Any:
    """A file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text())


WORDS = {
    "one sample (pass@1)": ("pass@k", 1), "majority of 16": ("majority", 16), "majority of 64": ("majority", 64),
    "best of 4": ("best-of-n", 4), "best of 16": ("best-of-n", 16), "best of 64": ("best-of-n", 64),
    "weighted vote of 16": ("weighted", 16), "weighted vote of 64": ("weighted", 64),
    "pass@64 (coverage)": ("pass@k", 64), "step-rejection, up to 4": ("step-rejection", 4),
    "step-rejection, up to 16": ("step-rejection", 16), "step-rejection, up to 64": ("step-rejection", 64),
}  # fmt: skip


def words(strategy: str, n: int, folder: str = "gsm_symbolic") -> Json:
    """Return a point of the language model on word problems."""
    points = load(f"real/{folder}/summary")
    return dict(next(p for p in points if (p["strategy"], p["n"]) == (strategy, n)))


def table_of_word_problems() -> list[str]:
    """Accuracy, tokens and FLOPs of each method on `gsm_symbolic`."""
    lines = list[str]()
    for name, which in WORDS.items():
        p = words(*which)
        flops = f"{p['flops'] / 1e9:,.0f}"
        lines.append(f"| {' | '.join([name, *cells(p), flops])} |")
    return lines


def of_training_words() -> tuple[str, ...]:
    """Return the sentences on the training compute of the language model."""
    document = load("real/train-time/train")
    last = document["checkpoints"][-1]
    first = document["checkpoints"][0]["accuracy"]["best-of-n"]["16"]["value"]
    [curve] = [c for c in document["curves"] if (c["strategy"], c["n"]) == ("best-of-n", 16)]
    [forecast], gain = curve["forecasts"], curve["line"]["doubling"]
    best, single = last["accuracy"]["best-of-n"]["16"]["value"], last["accuracy"]["pass@k"]["1"]
    return (
        f"takes best-of-16 on {last['problems']} problems of `gsm_symbolic` from {first:.3f} to {best:.3f}, and one"
        f" sample to {single['value']:.3f}",
        f"adds {100 * gain['value']:.1f} points to best-of-16 ({100 * gain['low']:.1f} to {100 * gain['high']:.1f})",
        f"first three snapshots predicts {forecast['predicted']['value']:.3f} for the last, where"
        f" {forecast['measured']['value']:.3f} was measured",
    )


def row_of_words(n: int) -> Json:
    """Return step-rejection beside best-of-N at equal tokens on `gsm_symbolic`."""
    rows = load("real/gsm_symbolic/comparison")
    asked = (TOKENS, "step-rejection", n)
    return dict(next(r for r in rows if (r["cost"], r["strategy"], r["n"]) == asked))


def closed(strategy: str, n: int = 64) -> float:
    """Return the share of the gap between a majority and coverage that a strategy closes."""
    low, high = words("majority", n)["accuracy"], words("pass@k", n)["accuracy"]
    return float((words(strategy, n)["accuracy"] - low) / (high - low))


def of_word_problems() -> tuple[str, ...]:
    """Return the sentences on the language model."""
    best, rejected = words("best-of-n", 64), words("step-rejection", 64)
    return (
        f"On 300 problems of GSM8K one sample is right in {words('pass@k', 1, 'gsm8k')['accuracy']:.3f}, and one of"
        f" 8 in {words('pass@k', 8, 'gsm8k')['accuracy']:.3f}.",
        f"best-of-64 closes {closed('best-of-n'):.0%} of the gap between a majority and coverage, a weighted vote"
        f" {closed('weighted'):.0%}",
        f"has {rejected['accuracy']:.3f} for {tokens(rejected)} tokens and {rejected['flops'] / 1e9:,.0f} GFLOPs,"
        f" where best-of-64 has {best['accuracy']:.3f} for {tokens(best)} and {best['flops'] / 1e9:,.0f}",
        " and ".join(f"{gain(row_of_words(n))} points (up to {n})" for n in (16, 64)),
    )


def of_the_value_head() -> tuple[str, ...]:
    """Return the sentence on the verifier that does not rank within a problem."""
    value = {
        (s, n): words(s, n, "value-head")["accuracy"]
        for s, n in (
            ("best-of-n", 2),
            ("best-of-n", 16),
            ("pass@k", 1),
            ("majority", 16),
            ("pass@k", 16),
        )
    }
    return (
        f"best-of-N falls from {value['best-of-n', 2]:.3f} with two samples to {value['best-of-n', 16]:.3f} with 16,"
        f" where one sample is right in {value['pass@k', 1]:.3f}, a majority of 16 in {value['majority', 16]:.3f},"
        f" and 16 samples contain a right one in {value['pass@k', 16]:.3f}",
    )


def of_readme() -> tuple[str, ...]:
    """Return the sentences of the README on results."""
    final = {(p["task"], p["strategy"], p["n"]): p["accuracy"] for p in load("final/summary")}

    def both(strategy: str, n: int) -> str:
        return " and ".join(f"{final[task, strategy, n]:.3f}" for task in TASKS)

    pairs = (("pass@k", 1), ("majority", 64), ("best-of-n", 64), ("step-rejection", 64))
    single, vote, best, rejected = (words(*pair) for pair in pairs)
    trained = load("real/train-time/train")["curves"]
    [curve] = [c for c in trained if (c["strategy"], c["n"]) == ("best-of-n", 16)]
    assert 3.5 < best["generated_tokens"] / rejected["generated_tokens"] < 4.5
    return (
        f"one sample {single['accuracy']:.3f}, a majority of 64 {vote['accuracy']:.3f}, best-of-64"
        f" {best['accuracy']:.3f}, `step-rejection` {rejected['accuracy']:.3f} with a quarter of the tokens of best-of-64",
        f"adds {100 * curve['line']['doubling']['value']:.1f} points to best-of-16",
        f"{both('pass@k', 1)} of the problems with one sample, {both('best-of-n', 16)} with best-of-16, and"
        f" {both('step-rejection', 64)} with `step-rejection`",
    )
