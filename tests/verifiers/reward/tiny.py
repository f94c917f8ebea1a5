"""Tiny random reward models: the architecture, head and vocabulary of each public one, untrained.

The classes that come with public weights are written here once more, from the cards, so that what
they save is read by code that does not know them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2ForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForTokenClassification,
    Qwen2Model,
    Qwen2PreTrainedModel,
)

CORPUS = [
    "Step 1: Janet's ducks lay 16 eggs per day. + - ки",
    "Step 2: She eats 3, so she has 16 - 3 = 13 eggs. ки + -",
    "так как Винни кит ки + - какие кисель ки",
    "The answer is \\boxed{18}. What is 1 + 2 + 3 - 4? ки",
    "Natürlich, ça va: x² − 1 = (x − 1)(x + 1), 北京 是 首都",
]
LINES = [*CORPUS, "a.\n\nb.\n\nc\n", "system user assistant\n\n+", "+\n\n-\n\n"]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{{ '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
    "December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>' }}"
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + "
    "m.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
WORDS = {
    "qwen": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
SIZES: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
    "initializer_range": 0.2,
}


Pretrained: Any = Qwen2PreTrainedModel
Fast: Any = PreTrainedTokenizerFast


# -- tokenizers -------------------------------------------------------------------------------------


def sentencepiece() -> Any:
    """Mistral's kind: '▁' for a space, before the text too; bytes for what has no token."""
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learner = Tokenizer(models.BPE())
    learner.normalizer = spaces
    # Words are learnt one by one, but found in the whole text, which is not split.
    learner.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    learner.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=600, special_tokens=special))
    learnt = json.loads(learner.to_str())["model"]
    tokenizer = Tokenizer(
        models.BPE(
            learnt["vocab"],
            [tuple(m) for m in learnt["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = spaces
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return _fast(tokenizer, bos="<s>", eos="</s>", unk_token="<unk>")


def byte_level(kind: str, special: list[str], *, bos: str | None, template: str) -> Any:
    """GPT-2's kind, with the words of Qwen2 or of Llama 3."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS[kind]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, special_tokens=special, min_frequency=1
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return _fast(tokenizer, bos=bos, eos=special[0], template=template, begins=kind == "llama")


def qwen(*, bos: str | None = None) -> Any:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"]
    return byte_level("qwen", special, bos=bos, template=CHATML)


def llama() -> Any:
    headers = ["<|start_header_id|>", "<|end_header_id|>"]
    special = ["<|eot_id|>", "<|begin_of_text|>", *headers]
    return byte_level("llama", special, bos="<|begin_of_text|>", template=LLAMA3)


def _fast(
    tokenizer: Tokenizer,
    *,
    bos: str | None,
    eos: str,
    template: str | None = None,
    begins: bool = True,
    **special: str,
) -> Any:
    if bos and begins:
        ids = [(bos, tokenizer.token_to_id(bos))]
        tokenizer.post_processor = TemplateProcessing(f"{bos} $A", None, ids)
    fast = Fast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=eos, **special)
    fast.chat_template = template
    return fast


# -- classes that come with weights -----------------------------------------------------------------


class QwenPRM(Pretrained):  # type: ignore[misc]
    """`Qwen2ForProcessRewardModel` of Qwen2.5-Math-PRM's `modeling_qwen2_rm.py`."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.score = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.ReLU(),
            nn.Linear(config.hidden_size, config.num_labels),
        )
        self.post_init()

    def forward(self, input_ids: Any) -> Any:
        return (self.score(self.model(input_ids).last_hidden_state),)


class ValueHead(nn.Module):
    """`ValueHead` of skywork-o1-prm-inference's `prm_model.py`."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.1)
        self.summary = nn.Linear(config.hidden_size, 1)

    def forward(self, hidden_states: Any) -> Any:
        return self.summary(self.dropout(hidden_states))


class SkyworkPRM(Pretrained):  # type: ignore[misc]
    """`PRM_MODEL` of the same file, its language model's head left out."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.v_head = ValueHead(config)
        self.post_init()

    def forward(self, input_ids: Any) -> Any:
        value = self.v_head(self.model(input_ids).last_hidden_state).squeeze(-1)
        return torch.sigmoid(value)


# -- models -----------------------------------------------------------------------------------------


def math_shepherd(folder: Path) -> Any:
    return save(folder, MistralForCausalLM, MistralConfig, sentencepiece())


def rlhflow(folder: Path) -> Any:
    return save(folder, LlamaForCausalLM, LlamaConfig, llama())


def skywork(folder: Path) -> Any:
    tokenizer = qwen(bos="<|endoftext|>")
    return save(folder, SkyworkPRM, Qwen2Config, tokenizer, architecture="Qwen2ForPrmModel")


def qwen_prm(folder: Path) -> Any:
    name = "Qwen2ForProcessRewardModel"
    return save(folder, QwenPRM, Qwen2Config, qwen(), architecture=name)


def qwen_rm(folder: Path) -> Any:
    name = "Qwen2ForRewardModel"
    return save(folder, QwenPRM, Qwen2Config, qwen(), architecture=name, num_labels=1)


def token_classifier(folder: Path) -> Any:
    return save(folder, Qwen2ForTokenClassification, Qwen2Config, qwen())


def gpt2_token_classifier(folder: Path) -> Any:
    return save(folder, GPT2ForTokenClassification, GPT2Config, llama(), num_labels=3)


def sequence_classifier(folder: Path) -> Any:
    return save(folder, LlamaForSequenceClassification, LlamaConfig, llama(), num_labels=1)


def gpt2_sequence_classifier(folder: Path) -> Any:
    tokenizer = sentencepiece()
    return save(folder, GPT2ForSequenceClassification, GPT2Config, tokenizer, num_labels=2)


def save(
    folder: Path, model: Any, config: Any, tokenizer: Any, *, architecture: str = "", **more: Any
) -> Any:
    """Build a model of random weights, write it to `folder`, and return it with its tokenizer.

    The weights are large enough for outputs to differ, and a head of two layers is damped, so that
    no probability is next to 0 or 1.
    """
    torch.manual_seed(0)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    more |= ends | {"pad_token_id": tokenizer.pad_token_id, "vocab_size": len(tokenizer)}
    sizes = GPT2_SIZES if config is GPT2Config else SIZES
    built = model(config(**sizes, **more)).eval().requires_grad_(False)
    if model is QwenPRM:
        built.score[-1].weight.data *= 0.05
    built.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if architecture:
        told = json.loads((folder / "config.json").read_text())
        told["architectures"] = [architecture]
        (folder / "config.json").write_text(json.dumps(told))
    return built, tokenizer


GPT2_SIZES: dict[str, Any] = {
    "n_embd": 64, "n_layer": 2, "n_head": 1, "n_positions": 1024, "initializer_range": 0.2,
}  # fmt: skip
