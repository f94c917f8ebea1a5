"""Each mutant is one mistake in one line, and the tests that must fail with it.

The old text occurs exactly once in its file, in every version of the code: where a line changes, so does
its mutant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` becomes `new` in `file`, and at least one of `tests` fails; all are relative to the root."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, root: Path) -> str:
        """The text of the file with the mistake.

        Raises:
            ValueError: the old text does not occur exactly once.
        """
        text = (root / self.file).read_text()
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {count} times in {self.file}")
        return text.replace(self.old, self.new)


GOLDEN = "tests/search/test_golden.py"
BUDGET = "tests/reasoner/test_budget.py"
FLOPS = "tests/reasoner/test_flops.py"
CLOSED = FLOPS + "::test_a_window_in_closed_form_is_the_sum_over_positions"
PUBLIC = FLOPS + "::test_a_public_model_costs_what_its_matrices_cost"
POOLS = "tests/benchmarks/stats/test_pool_estimators.py::test_closed_forms_equal_enumeration"
STATISTICS = "tests/benchmarks/stats/test_statistics.py::"
JOURNAL = "tests/benchmarks/runner/test_resumable.py::"
REPLAY = "tests/benchmarks/runner/test_replay.py::"
TOOLS = "tests/reasoner/test_tool_use.py::"
SANDBOX = "tests/reasoner/sandbox/test_sandbox.py::"


def golden(*names: str) -> tuple[str, ...]:
    """The golden trees alone: they must be able to fail without the help of others."""
    return tuple(f"{GOLDEN}::test_tree[{name}]" for name in names)


MUTANTS = (
    # Budgets over problems.
    Mutant(
        "the least promising problem goes first", "reasoner/turns.py",
        "(-claim, next(", "(claim, next(", ("tests/reasoner/test_turns.py",),
    ),
    Mutant(
        "what an interrupted run spent is forgotten", "benchmarks/runner/total_budget.py",
        "self._paid = spending.read()", "self._paid = dict[str, Usage]()",
        ("tests/benchmarks/runner/test_total_budget.py::test_calls_in_flight_at_a_kill_cost_their_worst_case",),
    ),
    # Searches.
    Mutant(
        "UCT fears what it has not tried", "search/common/simulation.py",
        "mean(c) + spread /", "mean(c) - spread /", golden("mcts"),
    ),
    Mutant(
        "UCT explores without a logarithm", "search/common/simulation.py",
        "sqrt(log(parent.visits + 1))", "sqrt(parent.visits + 1)",
        ("tests/search/test_mcts.py::test_preference_is_the_formulas",),
    ),
    Mutant(
        "PUCT takes all priors for equal", "search/common/simulation.py",
        "share * self.sample_counts[c.id] / (1 + c.visits)", "share / (1 + c.visits)", golden("mcts-puct"),
    ),
    Mutant(
        "a leaf under way may be taken again", "search/common/simulation.py",
        "self.taken.add(path[-1].id)", "pass",
        ("tests/search/test_mcts.py::test_a_leaf_under_way_is_not_taken_again",),
    ),
    Mutant(
        "a visit under way is no loss", "search/common/simulation.py",
        "node.visits += 1", "node.visits += not self.taken", golden("mcts-parallel"),
    ),
    Mutant(
        "a node is never widened", "search/common/simulation.py",
        "max(1, node.visits) ** self.widening", "1", golden("mcts"),
    ),
    Mutant(
        "only the last value is backed up", "search/common/simulation.py",
        "node.value += value", "node.value = value", golden("mcts"),
    ),
    Mutant(
        "AB-MCTS believes failures", "search/ab_mcts.py",
        "0.5 + arm.visits - arm.total", "0.5 + arm.total", golden("ab-mcts"),
    ),
    Mutant(
        "particles are resampled alike", "search/particle.py",
        "systematic(weights, len(free)", "systematic([1.0] * len(weights), len(free)",
        golden("particle"),
    ),
    Mutant(
        "particles are weighed by score, not by odds", "search/particle.py",
        "log(score / (1 - score))", "log(score)", golden("particle"),
    ),
    Mutant(
        "weights outlive resampling", "search/particle.py",
        "logs = [0.0] * len(logs)", "pass", golden("particle"),
    ),
    Mutant(
        "particles are never resampled", "search/particle.py",
        "effective(weights) < self.ess", "effective(weights) > self.ess", golden("particle"),
    ),
    Mutant(
        "Gibbs forgets the solution it retained", "search/particle_gibbs.py",
        "retained = run.trace.path(sampled)[1:]", "retained = []", golden("particle-gibbs"),
    ),
    Mutant(
        "REBASE gives copies one share", "search/rebase.py",
        "n * exp(", "exp(", golden("rebase"),
    ),
    Mutant(
        "REBASE turns its temperature round", "search/rebase.py",
        "- top) / self.temperature", "- top) * self.temperature", golden("rebase"),
    ),
    Mutant(
        "a beam keeps all", "search/beam.py",
        "size // branch)", "size)", golden("beam"),
    ),
    Mutant(
        "DVTS grows one tree", "search/dvts.py",
        "range(0, len(firsts), self.branch)", "range(0, 1)", golden("dvts"),
    ),
    Mutant(
        "DVTS follows the first", "search/dvts.py",
        "key=by_score, default=None", "key=lambda c: 0, default=None", golden("dvts"),
    ),
    Mutant(
        "best-first is worst-first", "search/best_first.py",
        "(-by_score(node),", "(by_score(node),", golden("best-first"),
    ),
    Mutant(
        "a draw costs a step nothing", "search/step_rejection.py",
        "self.threshold ** self.draws[node]", "self.threshold", golden("step-rejection"),
    ),
    Mutant(
        "power leaves out the lengths", "search/power.py",
        " + log(length / proposed)", "",
        ("tests/search/test_power.py::test_every_pair_of_solutions_is_in_detailed_balance",),
    ),
    Mutant(
        "power moves to what the budget clipped", "search/power.py",
        "if whole and run.rng", "if run.rng",
        ("tests/search/test_power.py::test_a_proposal_that_the_budget_clips_is_no_move",),
    ),
    Mutant(
        "RSA draws with replacement", "search/rsa.py",
        "run.rng.sample(range(len(solutions)), k)", "run.rng.choices(range(len(solutions)), k=k)",
        ("tests/search/test_rsa.py::test_each_solution_is_written_from_k_of_the_population_before",),
    ),
    Mutant(
        "a majority need not last", "search/parallel_probe.py",
        "lasted + 1 if majority == former else 1", "lasted + 1",
        ("tests/search/test_parallel_probe.py::test_a_majority_that_lasts_stops_all",),
    ),
    Mutant(
        "the best are rejected", "search/speculative_rejection.py",
        "top(judged, len(judged) -", "top(judged, 0 * len(judged) +",
        golden("speculative-rejection"),
    ),
    Mutant(
        "the later answer wins a tie", "search/common/voting.py",
        "max(ballots.values(),", "max(reversed(ballots.values()),",
        ("tests/search/common/test_voting.py",),
    ),
    Mutant(
        "a weighted vote counts heads", "search/common/voting.py",
        "sum(map(weight, nodes))", "len(nodes)", ("tests/search/common/test_voting.py",),
    ),
    Mutant(
        "a window agrees by its last answer", "search/esc.py",
        "len(set(answers)) == 1", "len(set(answers[-1:])) == 1", ("tests/search/test_esc.py",),
    ),
    # Verdicts, answers, seeds.
    Mutant(
        "min is prod", "verifiers/common/aggregation.py",
        '"min": min', '"min": prod', ("tests/verifiers/test_builtin.py::test_verdict",),
    ),
    Mutant(
        "the first verdict is the last", "verifiers/common/aggregation.py",
        "return scores[-1]", "return scores[0]",
        ("tests/verifiers/test_builtin.py::test_verdict",),
    ),
    Mutant(
        "what speaks for a step makes up for errors", "verifiers/common/aggregation.py",
        "sum(min(x, 0.0) for x in earlier)", "sum(earlier)",
        ("tests/verifiers/test_builtin.py::test_a_doubt_is_held_against_every_later_step",),
    ),
    Mutant(
        "the answer is the first line", "reasoner/run.py",
        "in reversed(lines) if", "in lines if", ("tests/search/test_mcts.py",),
    ),
    Mutant(
        "siblings share a seed", "reasoner/sampler.py",
        "self._drawn[place] += n", "pass", (GOLDEN,),
    ),
    Mutant(
        "a problem's place in the tree is no part of its seed", "reasoner/sampler.py",
        ":{place}:{number}", ":{number}", (GOLDEN,),
    ),
    # The ledger.
    Mutant(
        "calls are admitted without a hold", "reasoner/budget.py",
        "self._held += worst", "pass", (BUDGET,),
    ),
    Mutant(
        "what was held never returns", "reasoner/budget.py",
        "self._held + negative(worst)", "self._held + worst", (BUDGET,),
    ),
    Mutant(
        "a share may overspend the whole", "reasoner/budget.py",
        "super().room.within(self._whole.room)", "super().room",
        (BUDGET,),
    ),
    Mutant(
        "a budget in seconds never ends", "reasoner/budget.py",
        "self.elapsed >= self.budget.seconds", "self.elapsed < 0", (BUDGET,),
    ),
    Mutant(
        "samples cost one sample", "reasoner/budget.py",
        "0, n * tokens,", "0, tokens,", (BUDGET,),
    ),
    Mutant(
        "cached tokens count as fresh", "reasoner/types.py",
        "self.prompt_tokens - self.cached_tokens", "self.prompt_tokens", (BUDGET,),
    ),
    Mutant(
        "a server is asked once", "reasoner/backends/connection.py",
        "range(self._limits.retries + 1)", "range(1)",
        ("tests/reasoner/backends/test_openai.py::test_trouble_that_passes_is_tried_again",),
    ),
    # FLOPs.
    Mutant("attention costs half", "reasoner/base.py", "4.0 * self.layers", "2.0 * self.layers", (CLOSED,)),
    Mutant(
        "a window reaches back to the start", "reasoner/base.py",
        "- beyond * (beyond + 1)", "", (CLOSED,),
    ),
    Mutant(
        "all experts are active", "reasoner/models/sizes.py",
        'w.numel() * chosen // experts if ".experts."', 'w.numel() if ".experts."', (PUBLIC,),
    ),
    Mutant(
        "looking up multiplies", "reasoner/models/sizes.py",
        "w.ndim > 1 and id(w) not in lookups", "w.ndim > 1", (PUBLIC,),
    ),
    Mutant(
        "heads are as wide as the model", "reasoner/models/sizes.py",
        '_first(config, ["head_dim"]) or', "", (PUBLIC,),
    ),
    # Estimators and statistics.
    Mutant(
        "pass@k draws with replacement", "benchmarks/stats/coverage.py",
        "np.maximum(n - earlier - size, 0) / (n - earlier)", "np.ones_like(size) * (n - size) / n * earlier**0",
        (POOLS,),
    ),
    Mutant(
        "of equal scores the first is best", "benchmarks/stats/best_of_n.py",
        "ranked[:, 1:] != ranked[:, :-1]", "True", (POOLS,),
    ),
    Mutant(
        "a tied vote is won", "benchmarks/stats/votes.py",
        "(won / tied)", "won",
        ("tests/benchmarks/stats/test_pool_estimators.py::test_votes_approach_enumeration",),
    ),
    Mutant(
        "Holm counts up", "benchmarks/stats/holm.py",
        "np.arange(len(ps), 0, -1)", "np.arange(1, len(ps) + 1)",
        (STATISTICS + "test_holm_is_what_every_subset_admits",),
    ),
    Mutant(
        "BCa turns the skewness round", "benchmarks/stats/bootstrap.py",
        "jackknife.mean(0) - jackknife", "jackknife - jackknife.mean(0)",
        (STATISTICS + "test_the_interval_is_scipys",),
    ),
    Mutant(
        "McNemar has one side", "benchmarks/stats/paired.py",
        "2 * float(betainc(", "float(betainc(",
        (STATISTICS + "test_mcnemar_is_a_binomial_test",),
    ),
    Mutant(
        "what is as good for less is no better", "benchmarks/stats/pareto.py",
        "(cost < own_cost) | (value > own_value)", "(value > own_value)",
        (STATISTICS + "test_front_is_what_nothing_dominates",),
    ),
    Mutant(
        "splits overlap", "benchmarks/tasks/generated.py",
        " and split_of(name) in splits", "",
        ("tests/benchmarks/tasks/test_generated.py",),
    ),
    # Choices and replays.
    Mutant(
        "pairs meet again", "verifiers/common/swiss.py",
        " if frozenset((player, p)) not in met", "",
        ("tests/verifiers/common/test_swiss.py",),
    ),
    Mutant(
        "the first vote decides", "verifiers/genselect.py",
        "Counter(votes or [chance]).most_common(1)[0][0]", "(votes or [chance])[0]",
        ("tests/verifiers/test_genselect.py::test_the_most_frequent_vote_counts",),
    ),
    Mutant(
        "the longest sample wins a race", "benchmarks/runner/recorded_model.py",
        "first = min(self.running", "first = max(self.running",
        (REPLAY + "test_the_shortest_samples_win_a_race_and_the_others_are_charged_until_its_end",),
    ),
    Mutant(
        "each sample computes the whole prompt", "benchmarks/runner/recorded_model.py",
        "self.again if number else self.prompt", "self.prompt",
        (REPLAY + "test_all_samples_together_cost_what_the_pool_did",),
    ),
    # The journal and the sandbox.
    Mutant(
        "finished calls are asked again", "benchmarks/store/call_log.py",
        "(stored := self._found.get(call)) is None", "(stored := self._found.get(call + '?')) is None",
        (JOURNAL + "test_a_search_is_replayed_to_the_letter",),
    ),
    Mutant(
        "equal calls get one answer", "benchmarks/store/call_log.py",
        "self._equal[digest] += 1", "pass", (JOURNAL + "test_equal_calls_are_told_apart",),
    ),
    Mutant(
        "memory has no limit", "reasoner/sandbox/limits.py",
        '"as": _allowed', '"rss": _allowed', (SANDBOX + "test_ten_gigabytes_of_memory",),
    ),
    Mutant(
        "sockets are there", "reasoner/sandbox/seccomp.py",
        '"socket": {X86: 41, ARM: 198},', "",
        ("tests/reasoner/sandbox/test_sandbox_bounds.py::test_no_socket_of_any_family",),
    ),
    Mutant(
        "any word is a verdict", "reasoner/sandbox/trial.py",
        "word == nonce and", "", ("tests/verifiers/test_code.py",),
    ),
    Mutant(
        "an output states the answer", "reasoner/types.py",
        "for text, by_tool in written if not by_tool", "for text, by_tool in written",
        (TOOLS + "test_the_answer_is_never_read_from_an_output",),
    ),
    Mutant(
        "a step begins a new count of calls", "reasoner/tool_calls.py",
        "calls + len(piece.outputs), start", "len(piece.outputs), start",
        (TOOLS + "test_calls_are_capped_over_steps_too",),
    ),
    Mutant(
        "an output may end the thinking", "reasoner/tool_calls.py",
        "SPECIAL.sub(lambda mark: mark[0] + \" \", ", "(lambda text: text)(",
        ("tests/reasoner/test_tool_calls.py::test_an_output_holds_no_special_token_and_ends_no_thinking",),
    ),
    Mutant(
        "results are judged the wrong way round", "search/s_star.py",
        '"AB".index', '"BA".index',
        ("tests/search/test_s_star.py::test_verdicts",),
    ),
    Mutant(
        "the last version of a chain counts", "search/s_star.py",
        "min(reversed(versions), key=self._order)", "versions[-1]",
        ("tests/search/test_s_star.py::test_it_stops_after_its_rounds_and_keeps_the_best_version",),
    ),
    Mutant(
        "usage may be negative", "reasoner/budget.py",
        "min(counts) >= 0 and", "", (BUDGET + "::test_nothing_is_ever_given_back",),
    ),
)  # fmt: skip
