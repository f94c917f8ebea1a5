"""A value head: it learns what can be learned, and the policy serves it and stays as it was."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.needs import need

need("torch")

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.prompt_template import Template
from reasoner.backends.vllm import VLLM
from reasoner.cli import main
from reasoner.errors import ConfigError
from reasoner.models.value_head import Head, extend
from reasoner.models.value_tokens import HEAD, VALUE
from reasoner.train.gpt import vocabulary as v
from reasoner.train.reward.labelled_solutions import LabelledSolution, read
from reasoner.train.reward.value_head import encoded, fit
from reasoner.train.reward.valued_policy import export
from reasoner.types import Candidate, Completion, Finish, Problem, Prompt, Sampling
from reasoner.verifiers.value_head import ValueHead
from tests import engines, models
from tests.verifiers.reward import tiny

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
Array = np.ndarray[Any, Any]
Build = Callable[[Path], Path]


def row(prompt: str, steps: Sequence[str], labels: Sequence[bool], **more: Any) -> dict[str, Any]:
    told = {
        "id": prompt,
        "task": "t",
        "correct": labels[-1],
        "method": "exact",
        "k": 0,
        "tokens": 0,
    }
    values = [None] * len(labels)
    return {
        **told, "prompt": prompt, "completions": list(steps), "separator": "\n",
        "labels": list(labels), "values": values, **more,
    }  # fmt: skip


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def digits(path: Path, problems: int = 30) -> Path:
    """Solutions of one step, which is right if it is even: what the last token tells."""
    drawn = np.random.default_rng(0).integers(10, 99, (problems, 3)).tolist()
    rows = [row(f"{i}:", [str(n)], [n % 2 == 0]) for i, told in enumerate(drawn) for n in told]
    return lines(path, rows)


def gpt2(folder: Path) -> Path:
    """A model that writes its tokens as it reads them."""
    sizes: dict[str, Any] = {"n_embd": 64, "n_layer": 2, "n_head": 1, "n_positions": 128}
    return saved(folder, GPT2LMHeadModel, GPT2Config(vocab_size=v.EXPORTED, **sizes, **ENDS))


def phi(folder: Path) -> Path:
    """A model whose output layer has a bias."""
    return saved(folder, PhiForCausalLM, PhiConfig(**SIZES, **ENDS))


def capped(folder: Path) -> Path:
    """A model whose logits are capped."""
    config = Gemma2Config(final_logit_softcapping=0.1, head_dim=32, **SIZES, **ENDS)
    return saved(folder, Gemma2ForCausalLM, config)


def saved(folder: Path, model: Any, config: Any) -> Path:
    """A model of random weights with the embedded GPT's alphabet and no verdict tokens."""
    torch.manual_seed(0)
    model(config).save_pretrained(folder)
    v.save_tokenizer(folder)
    (folder / "reasoner.json").unlink()
    return folder


ENDS: dict[str, Any] = {"bos_token_id": v.END, "eos_token_id": v.END, "pad_token_id": v.PAD}
SIZES: dict[str, Any] = {
    "vocab_size": v.EXPORTED, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 128,
}  # fmt: skip


class Plain:
    """The model in a folder, computed by Transformers."""

    def __init__(self, folder: Path) -> None:
        auto: Any = AutoModelForCausalLM
        self.model = auto.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.inference_mode()
    def __call__(self, ids: Sequence[int]) -> tuple[Array, Array]:
        """The logits and the last hidden states at each of `ids`."""
        told = self.model(torch.tensor([ids]), output_hidden_states=True)
        return told.logits[0].numpy(), told.hidden_states[-1][0].numpy()

    def greedy(self, ids: Sequence[int], count: int) -> list[int]:
        """Return the head's values, computed anew for every token."""
        said = list[int]()
        for _ in range(count):
            said.append(int(self([*ids, *said])[0][-1].argmax()))
        return said


# -- training ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [gpt2, models.qwen3, phi])
def test_a_head_learns_and_is_the_difference_of_two_logits(build: Build, tmp_path: Path) -> None:
    folder, out = build(tmp_path / "policy"), tmp_path / "out"
    found = fit(digits(tmp_path / "labels.jsonl"), str(folder), out)
    assert (found["rows"], found["steps"], found["held_out"]["problems"]) == (90, 90, 3)
    assert found["held_out"]["auc"]["value"] > 0.9
    assert found["verifier"] == "value-head"

    policy, checkpoint = Checkpoint(str(folder)), Checkpoint(str(out))
    good, bad = checkpoint.tokenizer.convert_tokens_to_ids(list(VALUE))
    assert list(checkpoint.silent) == [good, bad]
    assert (policy.silent, checkpoint.verdicts) == ({}, policy.verdicts)
    ids = checkpoint.encode("3:12\n35\n8")
    (before, _), (after, _) = Plain(folder)(ids), Plain(out)(ids)
    assert np.allclose(before, after[:, : before.shape[1]], atol=1e-5)
    assert np.allclose(after[:, good], -after[:, bad], atol=1e-2)
    odds = after[:, good] - after[:, bad]
    assert odds[3] > 0 > odds[6] and odds[8] > 0


def test_the_command_tells_what_to_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = digits(tmp_path / "labels.jsonl"), tmp_path / "out"
    command = ["train", "value-head", "--data", str(data), "--model", str(phi(tmp_path / "policy"))]
    assert main([*command, "--out", str(out)]) == 0
    ranked, within, serve, where = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"AUC 0\.\d+ \(.*\) over 9 scores on 3 problems held out|AUC 1\.000 .*", ranked
    )
    assert re.fullmatch(r"within a problem [01]\.\d{3}, the mean of \d", within)
    assert shlex.split(serve) == ["--model", str(out), "--verifier", "value-head"]
    assert where == f"written to {out}"
    kept = json.loads((out / "training.json").read_text())
    assert kept["command"].startswith("reasoner train value-head --data ")
    assert kept["settings"]["model"] == "policy" and kept["packages"]["torch"]


def test_weights_are_saved_as_they_were_stored(tmp_path: Path) -> None:
    folder, out = models.qwen3(tmp_path / "policy"), tmp_path / "out"
    fit(digits(tmp_path / "labels.jsonl"), str(folder), out)
    before, after = (AutoModelForCausalLM.from_pretrained(f, dtype="auto") for f in (folder, out))
    assert after.dtype == before.dtype == torch.bfloat16
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    assert all(torch.equal(weight, new[name][: len(weight)]) for name, weight in old.items())


def test_values_are_targets_and_labels_stand_in(tmp_path: Path) -> None:
    """The same step went well three times in four."""
    rows = [row(f"{i}:", ["1"], [True], values=[0.75]) for i in range(20)]
    rows += [row(f"{i}:", ["2"], [False]) for i in range(20)]
    folder, out = phi(tmp_path / "policy"), tmp_path / "out"
    fit(lines(tmp_path / "labels.jsonl", rows), str(folder), out)
    checkpoint = Checkpoint(str(out))
    good, bad = checkpoint.tokenizer.convert_tokens_to_ids(list(VALUE))
    plain = Plain(out)
    told = [plain(checkpoint.encode(f"7:{step}"))[0][-1] for step in (1, 2)]
    one, two = (1 / (1 + np.exp(x[bad] - x[good])) for x in told)
    assert one == pytest.approx(0.75, abs=0.05)
    assert two < 0.1


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row("1:", ["1"], [True]), row("2:", ["2"], [False])], "solutions of 2 problems"),
        ([row(f"{i}:", ["1"], [True]) for i in range(9)], "the same label"),
        ([row(f"{i}:" + "9" * 300, ["1"], [i % 2 == 0]) for i in range(9)], "within the context"),
    ],
)
def test_labels_that_teach_nothing_are_refused(
    rows: list[dict[str, Any]], told: str, tmp_path: Path
) -> None:
    data, folder = lines(tmp_path / "labels.jsonl", rows), phi(tmp_path / "policy")
    with pytest.raises(ConfigError, match=told):
        fit(data, str(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_that_caps_its_logits_is_refused(tmp_path: Path) -> None:
    folder = capped(tmp_path / "policy")
    with pytest.raises(ConfigError, match="'policy' scales or caps its logits"):
        fit(digits(tmp_path / "labels.jsonl"), str(folder), tmp_path / "out")


def test_the_model_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is the model itself"):
        fit(digits(tmp_path / "labels.jsonl"), str(phi(tmp_path)), tmp_path)


# -- tokens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [None, False])
def test_solutions_are_tokenised_as_the_policy_would_have_sampled_them(
    tmp_path: Path, chat: bool | None
) -> None:
    """The problem as the engine renders it, then the solution; steps end with their separators."""
    tokenizer = tiny.qwen()
    tiny.save(tmp_path, Qwen2ForCausalLM, Qwen2Config, tokenizer)
    checkpoint, problem = Checkpoint(str(tmp_path)), "What is 1 + 2?"
    told = row(problem, ["Step 1: x² = 4.", "The answer is 3"], [True, False], separator="\n\n")
    [solution] = read(lines(tmp_path / "labels.jsonl", [told]))
    found = encoded(solution, checkpoint, Template(system="Think."), chat)

    backend = VLLM(str(tmp_path), chat=chat, system="Think.")
    size = backend.prompt_length(Prompt(Problem("p", problem)))
    assert found.ids[size:] == backend.encode("Step 1: x² = 4.\n\nThe answer is 3")
    first, last = found.reads
    assert last == len(found.ids) - 1
    assert backend.decode(found.ids[size : first + 1]) == "Step 1: x² = 4.\n\n"
    rendered = tokenizer.decode(found.ids[:size])
    assert rendered.endswith("<|im_start|>assistant\n") if chat is None else problem in rendered


def test_the_verifier_reads_where_the_head_was_trained(tmp_path: Path) -> None:
    tiny.save(tmp_path, Qwen2ForCausalLM, Qwen2Config, tiny.qwen())
    backend = VLLM(str(tmp_path), chat=False)
    told = row("1 + 2?", ["Janet's ducks: 16 − 3", "北京 是", "So 13"], [True, True, False])
    solution = LabelledSolution.model_validate(told)
    trained = encoded(solution, backend.checkpoint, Template(), False)
    text = solution.solution
    piece = Completion(text, (*backend.encode(text), 0), Finish.EOS)
    size = backend.prompt_length(Prompt(Problem("p", solution.prompt)))
    served = ValueHead(model=backend)._steps(Candidate((piece,), complete=True))
    assert [size + r for r in served.reads] == list(trained.reads)
    assert served.ids == trained.ids[size:]


# -- in the engine ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.engine
@engines.VLLM
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_engine_serves_the_head_and_the_policy_stays_as_it_was(
    tmp_path: Path, forked_engines: None
) -> None:
    """With a head so large that its tokens would be the likeliest by far."""
    folder, out = gpt2(tmp_path / "policy"), tmp_path / "out"
    plain, checkpoint = Plain(folder), Checkpoint(str(folder))
    weight = 0.6 * np.random.default_rng(0).normal(size=64).astype(np.float32)
    policy = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    extend(policy, checkpoint.tokenizer, Head(weight))
    export(policy, checkpoint, Head(weight), out)
    assert np.array_equal(Head.read(out / HEAD).weight, weight)

    problem, backend = Problem("p", "dg:b=a+c,a=1234,c=5678?b\n"), VLLM(str(out), kv_cache_gib=1)
    verifier = ValueHead(model=backend)
    try:
        greedy = Sampling(max_tokens=20, temperature=0.0)
        [best] = (await backend.generate(Prompt(problem), greedy)).completions
        drawn = Sampling(n=8, max_tokens=24, seed=0)
        samples = (await backend.generate(Prompt(problem), drawn)).completions
        candidates = [Candidate((c,), c.finish is Finish.EOS) for c in samples]
        told = await verifier.score(problem, candidates)
    finally:
        await backend.aclose()

    start = checkpoint.encode(problem.prompt)
    assert list(best.token_ids) == plain.greedy(start, len(best.token_ids))
    assert all(i < v.EXPORTED for c in samples for i in c.token_ids)
    assert told.malformed == 0
    for candidate, score in zip(candidates, told.scores, strict=True):
        steps = verifier._steps(candidate)
        _, states = plain([*start, *steps.ids])
        odds = (states[len(start) :] @ weight)[list(steps.reads)]
        assert score.steps == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-3)
