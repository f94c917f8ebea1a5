"""Each format, computed by Transformers in padded batches, equals what its model card computes.

The references are written from the cards and the authors' code, one solution at a time, on the
model object that was saved; the verifier knows the folder only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ConfigError
from reasoner.types import Candidate, Completion, Finish, Problem, Score
from reasoner.verifiers.reward.math_shepherd import MathShepherd
from reasoner.verifiers.reward.orm import ORM
from reasoner.verifiers.reward.prm import PRM
from reasoner.verifiers.reward.qwen2_5_math_prm import Qwen25MathPRM
from reasoner.verifiers.reward.reward_model import RewardModel
from reasoner.verifiers.reward.rlhflow_deepseek import RLHFlowDeepseek
from reasoner.verifiers.reward.rlhflow_mistral import RLHFlowMistral
from reasoner.verifiers.reward.skywork_o1_prm import SkyworkO1PRM
from reasoner.verifiers.reward.token_classifier import TokenClassifier

torch = pytest.importorskip("torch")
tiny: Any = pytest.importorskip("tests.verifiers.reward.tiny")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PROBLEMS = ("What is 1 + 2 + 3 - 4?", "Сколько будет 2 + 2, 北京？ + 𝔘")
SOLUTIONS: tuple[Sequence[str], ...] = (
    ("Step 1: 1 + 2 = 3.", "Step 2: 3 + 3 - 4 = 2.", "The answer is: 2"),
    ("So 2",),
    ("Natürlich, ça va: x² − 1", "как кит ки кисель", "首都 𝔘 ẞ 👩‍🔬", " leading, trailing "),
    ("before", "", "after two empty ones", "", "", "end"),
    ("", "an empty one first"),
    ("+", "-", "+ -", " + "),
    ("a ки tag", "an <extra_0> in<extra_0>side", "ки", "<extra_0>", "ки ки"),
    ("a long one: " + "16 - 3 = 13 eggs, so " * 20, "the end"),
)
Reference = Callable[[Any, Any, str, Sequence[str]], list[float]]


def math_shepherd(model: Any, tokenizer: Any, question: str, steps: Sequence[str]) -> list[float]:
    """The card of peiyi9979/math-shepherd-mistral-7b-prm; steps stripped as by OpenR."""
    steps = [step.strip() for step in steps]
    candidate_tokens = tokenizer.encode("+ -")[1:]
    step_tag_id = tokenizer.encode("ки")[-1]
    output = "\n".join(f"{step} ки" for step in steps)
    input_id = torch.tensor([tokenizer.encode(f"{question} {output}")])
    logits = model(input_id).logits[:, :, candidate_tokens]
    step_scores = logits.softmax(dim=-1)[:, :, 0][input_id == step_tag_id].tolist()
    # The card's examples have no tag inside a step: of those that ours have, the last one counts.
    begun = ["\n".join(f"{s} ки" for s in steps[: i + 1]) for i in range(len(steps))]
    tags = [tokenizer.encode(f"{question} {text}").count(step_tag_id) for text in begun]
    return [step_scores[n - 1] for n in tags]


def rlhflow(model: Any, tokenizer: Any, question: str, steps: Sequence[str]) -> list[float]:
    """`select_sample` of RLHFlow's math-rm/prm_evaluate.py."""
    candidate_tokens = [tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]]
    ans_list = [j.strip() for j in steps]
    conversation, single_step_score = list[dict[str, str]](), list[float]()
    for k, step in enumerate(ans_list):
        text = question + " " + step if k == 0 else step
        conversation.append({"content": text, "role": "user"})
        conversation.append({"content": "+", "role": "assistant"})
        input_ids = tokenizer.apply_chat_template(
            conversation, return_tensors="pt", return_dict=False
        )
        logits = model(input_ids).logits[:, -3, candidate_tokens]
        single_step_score.append(logits.softmax(dim=-1)[:, 0].item())
    return single_step_score


def skywork(model: Any, tokenizer: Any, problem: str, steps: Sequence[str]) -> list[float]:
    """`prepare_input` of skywork-o1-prm-inference, and the model's own probabilities."""
    prompt_ids = tokenizer.encode(tokenizer.bos_token + problem + "\n")
    response_ids, reward_flags = list[int](), [0] * len(prompt_ids)
    step_token_id = tokenizer.encode("\n")[-1]
    for step in "\n".join(steps).split("\n"):
        step_ids = tokenizer.encode(step) if step != "" else []
        step_ids += [step_token_id]
        response_ids.extend(step_ids)
        reward_flags.extend([0] * (len(step_ids) - 1) + [1])
    rewards = model(torch.tensor([prompt_ids + response_ids]))[0]
    return [r for r, flag in zip(rewards.tolist(), reward_flags, strict=True) if flag]


def qwen(model: Any, tokenizer: Any, query: str, steps: Sequence[str]) -> list[float]:
    """The card of Qwen/Qwen2.5-Math-PRM-7B."""
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": query},
        {"role": "assistant", "content": "<extra_0>".join(steps) + "<extra_0>"},
    ]
    conversation_str = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=False
    )
    input_ids = tokenizer.encode(conversation_str, return_tensors="pt")
    token_masks = input_ids == tokenizer.encode("<extra_0>")[0]
    probabilities = model(input_ids=input_ids)[0].softmax(dim=-1) * token_masks.unsqueeze(-1)
    sample = probabilities[0]
    scores = sample[sample != 0].view(-1, 2)[:, 1].tolist()
    # As above: a tag inside a step is not the step's own.
    tags = [sum(s.count("<extra_0>") + 1 for s in steps[: i + 1]) for i in range(len(steps))]
    return [scores[n - 1] for n in tags]


def trl(model: Any, tokenizer: Any, prompt: str, steps: Sequence[str]) -> list[float]:
    """`tokenize_row` of TRL's PRMTrainer with its default separator; the last label's probability."""
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    separator_ids = tokenizer.encode("\n", add_special_tokens=False)
    completions = [tokenizer(s, add_special_tokens=False)["input_ids"] for s in steps]
    if tokenizer.bos_token_id is not None:
        prompt_ids = [tokenizer.bos_token_id, *prompt_ids]
    ids, ends = list(prompt_ids), list[int]()
    for completion in completions:
        ids += completion + separator_ids
        ends.append(len(ids) - 1)
    probabilities = model(torch.tensor([ids])).logits[0].softmax(dim=-1)
    return [probabilities[end, -1].item() for end in ends]


@dataclass(frozen=True)
class Known:
    """A format, a tiny model of its architecture, and what its authors compute."""

    verifier: type[PRM]
    build: Callable[[Path], Any]
    reference: Reference

    @property
    def name(self) -> str:
        return f"{self.verifier.__name__}-{self.build.__name__}"


FORMATS = [
    Known(MathShepherd, tiny.math_shepherd, math_shepherd),
    Known(RLHFlowDeepseek, tiny.rlhflow, rlhflow),
    Known(RLHFlowMistral, tiny.rlhflow, rlhflow),
    Known(SkyworkO1PRM, tiny.skywork, skywork),
    Known(Qwen25MathPRM, tiny.qwen_prm, qwen),
    Known(TokenClassifier, tiny.token_classifier, trl),
    Known(TokenClassifier, tiny.gpt2_token_classifier, trl),
]


def candidate(text: str, *, complete: bool = True) -> Candidate:
    return Candidate((Completion(text, (), Finish.EOS),), complete)


async def judged(verifier: RewardModel, texts: Sequence[str], problem: str) -> list[Score]:
    return list((await verifier.score(Problem("p", problem), [*map(candidate, texts)])).scores)


@pytest.mark.parametrize("known", FORMATS, ids=lambda k: k.name)
async def test_a_batch_equals_the_card_one_by_one(known: Known, tmp_path: Path) -> None:
    """Different lengths, Unicode, empty steps, and steps that contain the tag."""
    model, tokenizer = known.build(tmp_path)
    verifier = known.verifier(model=str(tmp_path), engine="transformers")
    for problem in PROBLEMS:
        texts = [verifier.separator.join(s) for s in SOLUTIONS]
        scores = await judged(verifier, texts, problem)
        for steps, score in zip(SOLUTIONS, scores, strict=True):
            expected = known.reference(model, tokenizer, problem, steps)
            assert score.steps == pytest.approx(expected, abs=1e-4)
            assert len(score.steps) == len(steps)


@pytest.mark.parametrize("known", FORMATS, ids=lambda k: k.name)
async def test_scores_differ_from_step_to_step(known: Known, tmp_path: Path) -> None:
    """A random model tells steps apart: equality with the card is not that of constants."""
    known.build(tmp_path)
    verifier = known.verifier(model=str(tmp_path), engine="transformers")
    texts = [verifier.separator.join(s) for s in SOLUTIONS]
    told = [v for s in await judged(verifier, texts, PROBLEMS[0]) for v in s.steps]
    assert len({round(v, 3) for v in told}) > len(told) / 2
    assert max(told) - min(told) > 0.1


@pytest.mark.parametrize("known", FORMATS, ids=lambda k: k.name)
def test_a_longer_solution_goes_on_from_a_shorter_one(known: Known, tmp_path: Path) -> None:
    """Score and prefix caches rely on this: a child's tokens begin with its parent's."""
    _, tokenizer = known.build(tmp_path)
    verifier = known.verifier(model=str(tmp_path))
    steps = [*SOLUTIONS[0], *SOLUTIONS[2], *SOLUTIONS[3]]
    whole = verifier.tokens(tokenizer, PROBLEMS[1], steps)
    for n in range(1, len(steps)):
        part = verifier.tokens(tokenizer, PROBLEMS[1], steps[:n])
        assert part.reads == whole.reads[:n]
        assert part.ids == whole.ids[: len(part.ids)]


@pytest.mark.parametrize("known", FORMATS, ids=lambda k: k.name)
async def test_steps_beyond_the_context_have_no_score(known: Known, tmp_path: Path) -> None:
    _, tokenizer = known.build(tmp_path)
    whole = known.verifier(model=str(tmp_path), engine="transformers")
    text = whole.separator.join(SOLUTIONS[0])
    reads = whole.encode(tokenizer, PROBLEMS[0], text).reads
    short = known.verifier(model=str(tmp_path), engine="transformers", context=reads[1] + 1)
    [full], [cut] = [await judged(v, [text], PROBLEMS[0]) for v in (whole, short)]
    assert cut.steps == pytest.approx(full.steps[:2], abs=1e-5)
    tiny_context = known.verifier(model=str(tmp_path), engine="transformers", context=reads[0])
    assert await judged(tiny_context, [text], PROBLEMS[0]) == [Score(0.0)]


def reward(model: Any, tokenizer: Any, problem: str, solution: str) -> float:
    """Return scores as model cards with a chat template compute them; the sigmoid keeps the order."""
    messages = [{"role": "user", "content": problem}, {"role": "assistant", "content": solution}]
    ids = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=False)
    hidden = model.model(ids).last_hidden_state
    return float(model.score(hidden)[0, -1, 0].sigmoid())


def second_label(model: Any, tokenizer: Any, problem: str, solution: str) -> float:
    ids = tokenizer(problem + solution, return_tensors="pt")
    return float(model(**ids).logits[0].softmax(dim=-1)[1])


@dataclass(frozen=True)
class Outcome:
    """A tiny outcome reward model, and what its kind's cards compute."""

    build: Callable[[Path], Any]
    reference: Callable[[Any, Any, str, str], float]


OUTCOMES = [
    Outcome(tiny.sequence_classifier, reward),
    Outcome(tiny.gpt2_sequence_classifier, second_label),
    Outcome(tiny.qwen_rm, reward),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda o: o.build.__name__)
async def test_outcome_rewards_equal_the_card(outcome: Outcome, tmp_path: Path) -> None:
    model, tokenizer = outcome.build(tmp_path)
    verifier = ORM(model=str(tmp_path), engine="transformers")
    for problem in PROBLEMS:
        texts = ["\n".join(s) for s in SOLUTIONS]
        values = [s.value for s in await judged(verifier, texts, problem)]
        expected = [outcome.reference(model, tokenizer, problem, text) for text in texts]
        assert values == pytest.approx(expected, abs=1e-4)
        assert len({round(v, 3) for v in expected}) > 1


async def test_a_model_of_another_format_is_refused(tmp_path: Path) -> None:
    tiny.rlhflow(tmp_path)
    for wrong in (MathShepherd, Qwen25MathPRM):
        verifier = wrong(model=str(tmp_path), engine="transformers")
        with pytest.raises(ConfigError, match="it is no"):
            await judged(verifier, ["a"], "q")
    with pytest.raises(ConfigError, match="LlamaForCausalLM is no reward model"):
        await judged(ORM(model=str(tmp_path), engine="transformers"), ["a"], "q")
