"""`reasoning-gym`: more than a hundred generated tasks with their own graders (Stojanovski et al., 2025).

reasoning-gym(dataset='gsm_symbolic')
reasoning-gym(dataset='chain_sum+leg_counting', config={'chain_sum': {'max_terms': 3}})

The source is arXiv 2505.24760 and the package reasoning-gym (Apache-2.0). It runs in a process of its
own: some graders evaluate an answer as Python, so the process has a sandbox as programs of `code` have.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import cycle, islice
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.base import Example
from reasoner.benchmarks.tasks.generated import SPLITS, Demonstration, check_split
from reasoner.benchmarks.tasks.grading import canonical
from reasoner.benchmarks.tasks.gym_process import Broken, Late, Reply, shared_process
from reasoner.benchmarks.tasks.question_answering import normalised
from reasoner.errors import ConfigError
from reasoner.naming import near, quoted
from reasoner.sandbox import Kind
from reasoner.types import Problem, Sampling

logger = logging.getLogger(__name__)

Form = Literal["tags", "hashes", "line"]
FORMS: Mapping[Form, tuple[str, str]] = {
    "tags": ("between <answer> and </answer>", "<answer>{}</answer>"),
    "hashes": ("on a last line that begins with ####", "#### {}"),
    "line": ("alone on the last line", "{}"),
}
"""The place of an answer in a solution: in words, and as a template."""
TAGS = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
HASHES = re.compile(r"####[ \t]*(\S.*)")
CITED = re.compile(r"\s*####.*\Z")
"""The answer with which a worked solution of `gsm_symbolic` ends; it is written in the task's form instead."""
NAME = re.compile(r"(\w+)-(\d+)-(\d+)", re.ASCII)
"""The name of a problem: its data set, the seed, and its place among all problems of the seed."""
SPAN = 2**20
"""The number of problems of a seed. A generator takes seeds below 2**32, so seeds 4096 apart are equal."""
BARREN = 1000
"""The number of problems without a new one after which a data set counts as exhausted."""


def read_answer(solution: str, form: Form) -> str | None:
    """Return the answer that a solution states in a form: the last one there."""
    if form == "line":
        return solution.strip().rpartition("\n")[2].strip() or None
    stated = (TAGS if form == "tags" else HASHES).findall(solution)
    return stated[-1].strip() or None if stated else None


def split_of(question: str) -> str:
    """Return the split of a question, one of four equal shares; its text alone decides.

    A share of 5 %, as the other generated tasks have it, would take twenty problems to find one, and some
    of these generators take seconds.
    """
    return SPLITS[blake2b(normalised(question).encode(), digest_size=1).digest()[0] % len(SPLITS)]


@plain_dataclass(frozen=True, slots=True)
class Item:
    """A generated problem: its name, its question, the reference answer and a worked solution, if any."""

    name: str
    question: str
    answer: str
    solution: str


@dataclass(frozen=True)
class ReasoningGym:
    """Generated problems of one data set of reasoning-gym, or of several joined by `+`, which take turns.

    `config` holds the data set's own settings; those of several stand under their names. An answer is
    right if its grader's score, in [0, 1], reaches `threshold`: graders give partial credit, which counts
    as wrong by default. `form` is the place of an answer in a solution, and the prompt names it. Each
    problem follows `shots` worked examples of the train split. `instruction` replaces the sentence that asks for
    reasoning and names the form; models trained on the form need none (""). `step` ends a step; samples
    have a `temperature` and a nucleus `top_p`. A grader has `seconds` of CPU time per
    answer; without a score the answer counts as wrong, and a warning says why.
    """

    dataset: str = ""
    config: dict[str, Any] = Field(default_factory=dict[str, Any])
    form: Form = "tags"
    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    shots: NonNegativeInt = 0
    instruction: str | None = None
    step: str = "\n\n"
    max_tokens: PositiveInt = 2048
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    seconds: PositiveFloat = 10.0
    sandbox: Kind = "bubblewrap"

    name: ClassVar[str] = "reasoning-gym"

    @property
    def sampling(self) -> Sampling:
        """The sampling of a solution: `step` ends a step."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            stop=(self.step,),
            end=("Question:",) if self.shots else (),
        )

    def prompt(self, text: str) -> str:
        """Return a question as the model reads it: with an instruction, and after other worked examples.

        Raises:
            ConfigError: there are worked examples, and the problems cannot be generated.
        """
        instruction = self._instruction
        if not self.shots:
            return f"{text.strip()}\n\n{instruction}\n" if instruction else text.strip()
        others = [i for i in self._worked if normalised(i.question) not in normalised(text)]
        shown = "".join(
            f"Question: {i.question.strip()}\nAnswer: {self.written(i)}\n\n"
            for i in others[: self.shots]
        )
        before = f"{instruction}\n\n" if instruction else ""
        return f"{before}{shown}Question: {text.strip()}\nAnswer:"

    @property
    def _instruction(self) -> str:
        if self.instruction is not None:
            return self.instruction
        return f"Reason step by step, and give your final answer {FORMS[self.form][0]}, without comment."

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Yield the first `count` problems of a split, the same ones for the same seed and settings.

        Raises:
            ConfigError: there is no such split, data set or setting, or too few different problems.
        """
        for item in self._items(split, count, seed):
            yield Example(Problem(item.name, self.prompt(item.question)), item.answer)

    def demonstrations(self, split: str, count: int, seed: int = 0) -> Iterator[Demonstration]:
        """Yield the first `count` problems of a split with a solution each; raise as `examples` does.

        It is a chain of thought where there is one (the package's own for `gsm_symbolic`, one written here
        for `leg_counting` and `chain_sum`), else only the reference answer; problems with neither are left
        out.
        """
        for item in self._items(split, count, seed):
            if item.answer:
                yield Demonstration(self.prompt(item.question), self.written(item))

    def written(self, item: Item) -> str:
        """Return a problem's chain of thought, if it has one, and its answer in the task's form."""
        answer = FORMS[self.form][1].format(item.answer)
        thought = CITED.sub("", item.solution).strip()
        return f"{thought}{self.step}{answer}" if thought else answer

    def answer(self, solution: str) -> str | None:
        """Return the answer that a solution states, in one spelling for equal numbers."""
        stated = read_answer(solution, self.form)
        return None if stated is None else canonical(stated)

    def check(self, example: Example, solution: str) -> bool:
        """Return whether an answer's score reaches the threshold; raise as `score` does."""
        return self.score(example, solution) >= self.threshold

    def score(self, example: Example, solution: str) -> float:
        """Return the score in [0, 1] of the data set's own grader; block until it comes.

        It is 0 where the solution states no answer, and where the grader fails or takes too long.

        Raises:
            ConfigError: the example is no problem of this task, or not of this version of the package.
        """
        answer = read_answer(solution, self.form)
        if answer is None:
            return 0.0
        graded = {"prompt": normalised(example.problem.prompt), "answer": answer}
        request = self._address(example.problem.id) | graded | {"seconds": self.seconds}
        try:
            reply = self._ask(request, patience=60 + 2 * self.seconds)
        except (Late, Broken) as e:
            reply = {"failed": str(e)}
        if "error" in reply:
            raise ConfigError(
                f"problem {quoted(example.problem.id)} is not the one that reasoning-gym generates:"
                f" {reply['error']}; use the version of the package and the config of its run"
            )
        return _graded(reply, answer)

    # -- generation -----------------------------------------------------------------------------

    @cached_property
    def _configs(self) -> dict[str, dict[str, Any]]:
        """The settings of each data set, by name.

        Raises:
            ConfigError: there is no such data set or setting.
        """
        names = list(filter(None, map(str.strip, self.dataset.split("+"))))
        known = self._ask({})["names"]
        if not names:
            raise ConfigError(
                "name a data set of reasoning-gym, as in reasoning-gym(dataset='gsm_symbolic'); it has"
                f" {', '.join(known)}"
            )
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"reasoning-gym has no data set {quoted(name)}; {near(name, known)}"
                )
        return self._checked({names[0]: self.config} if len(names) == 1 else self._parts(names))

    def _parts(self, names: list[str]) -> dict[str, dict[str, Any]]:
        for name, config in self.config.items():
            if name not in names or not isinstance(config, dict):
                raise ConfigError(
                    f"config of several data sets holds the settings of each under its name,"
                    f" as in config={{{names[0]!r}: {{…}}}}; {quoted(name)} is none of {', '.join(names)}"
                )
        return {name: self.config.get(name, {}) for name in names}

    def _checked(self, configs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, config in configs.items():
            known = set(self._ask({"dataset": name})["settings"]) - {"seed", "size"}
            for setting in config:
                if setting not in known:
                    raise ConfigError(
                        f"data set {name!r} of reasoning-gym has no setting {quoted(setting)};"
                        f" {near(setting, sorted(known))}"
                    )
        return configs

    @cached_property
    def _worked(self) -> list[Item]:
        """The worked examples, one more than `shots`, to replace the question itself among them."""
        items = islice(self._items("train", 4 * self.shots + 4, 0), 4 * self.shots + 4)
        worked = list(islice((item for item in items if item.answer), self.shots + 1))
        if len(worked) <= self.shots:
            raise ConfigError(
                f"{self.dataset!r} has no reference answers to show; use shots=0, or another data set"
            )
        return worked

    def _items(self, split: str, count: int, seed: int) -> Iterator[Item]:
        """Yield `count` different problems of a split, from each data set in turn."""
        check_split(split)
        streams = [self._stream(name, split, seed) for name in self._configs]
        return (next(stream) for stream in islice(cycle(streams), count))

    def _stream(self, dataset: str, split: str, seed: int) -> Iterator[Item]:
        """Yield the different problems of one data set that belong to a split."""
        seen, barren = set[str](), 0
        for index in range(SPAN):
            item = self._item(f"{dataset}-{seed}-{index}")
            text = normalised(item.question)
            if split_of(text) == split and text not in seen:
                seen.add(text)
                barren = 0
                yield item
            elif (barren := barren + 1) > BARREN:
                break
        raise ConfigError(
            f"{dataset!r} has only {len(seen)} different problems in split {split!r} with this config;"
            " ask for fewer, or for larger problems"
        )

    def _item(self, name: str) -> Item:
        try:
            reply = self._ask(self._address(name))
        except Late as e:
            raise ConfigError(f"problem {name!r}: {e}; choose a config of easier problems") from e
        if "error" in reply:
            raise ConfigError(f"reasoning-gym cannot generate problem {name!r}: {reply['error']}")
        return Item(name, *(str(reply[part]) for part in ("question", "answer", "solution")))

    def _address(self, name: str) -> dict[str, Any]:
        """Return the request for the problem of a name.

        Raises:
            ConfigError: it is no problem of this task.
        """
        match = NAME.fullmatch(name)
        if match is None or match[1] not in self._configs:
            raise ConfigError(
                f"{quoted(name)} is no problem of reasoning-gym(dataset={self.dataset!r}), whose"
                " problems are named like gsm_symbolic-0-17"
            )
        dataset, seed, index = match[1], int(match[2]), int(match[3])
        first = seed % (2**32 // SPAN) * SPAN
        return {"dataset": dataset, "config": self._configs[dataset], "seed": first, "index": index}

    def _ask(self, request: Mapping[str, Any], patience: float = 60.0) -> Reply:
        return shared_process(self.sandbox).ask(request, patience)


def _graded(reply: Reply, answer: str) -> float:
    """Return the score of a reply, within [0, 1]; 0, with a warning, where the grader gave none."""
    score = reply.get("score")
    if isinstance(score, int | float) and isfinite(score):
        return min(1.0, max(0.0, float(score)))
    why = "took too long" if reply.get("late") else str(reply.get("failed", f"scored {score}"))
    logger.warning("the grader of %.80r failed: counts as wrong (%s)", answer, why)
    return 0.0
