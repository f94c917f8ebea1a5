"""The embedded GPT's vocabulary: one token per character, and two tokens that end a step.

Either of two newline tokens ends a line, and either of two end tokens ends a solution. Both members of
a pair have the same input embedding and the same text; the probability of the first, given the pair, is
the model's *verdict* on the step. The exported model has `LEVELS` more tokens per pair, with the same
embedding and text, by which the engine returns that verdict (see `reasoner.backends.verdict_tokens`).
Training never sees these.
"""

from __future__ import annotations

import json
from pathlib import Path

from reasoner.backends.verdict_tokens import Ending
from reasoner.files import save_text

PAD, END, END_BAD, STEP, STEP_BAD = range(5)
SPECIAL = ("<pad>", "<end>", "<end?>", "\n", "<step?>")
ALPHABET = "0123456789+-*/=:,?abcdefghijklmnopqrstuvwxyz"
TOKENS = (*SPECIAL, *ALPHABET)
SIZE = 64
PAIRS = ((STEP, STEP_BAD), (END, END_BAD))
LEVELS = 64
ENDINGS = tuple(
    Ending(good, bad, range(SIZE + i * LEVELS, SIZE + (i + 1) * LEVELS))
    for i, (good, bad) in enumerate(PAIRS)
)
EXPORTED = SIZE + LEVELS * len(PAIRS)
_READ = {token: e.good for e in ENDINGS for token in (e.bad, *e.levels)}
_IDS = {token: i for i, token in enumerate(TOKENS)}


def encode(text: str) -> list[int]:
    """Return the token ids of `text`; a newline becomes the first of its pair."""
    return [_IDS[c] for c in text]


def decode(ids: list[int]) -> str:
    """Return the text of `ids`, without end tokens and padding."""
    return "".join(TOKENS[i] for i in as_read(ids) if i > END_BAD)


def as_read(ids: list[int]) -> list[int]:
    """Return `ids` as the model reads them: each token that ends a step or solution as the first of its pair."""
    return [_READ.get(i, i) for i in ids]


def save_tokenizer(folder: Path) -> None:
    """Write the alphabet as a Hugging Face tokenizer into `folder`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    spare = [f"<unused{i}>" for i in range(SIZE - len(TOKENS))]
    levels = [f"<{name} {i}>" for name in ("step", "end") for i in range(LEVELS)]
    names = {t: i for i, t in enumerate([*TOKENS, *spare, *levels])}
    tokenizer = Tokenizer(models.WordLevel(names, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    newline = decoders.Replace(Regex(r"<step[ ?]\d*>"), "\n")
    tokenizer.decoder = decoders.Sequence([newline, decoders.Fuse()])
    added = [AddedToken(t, special=True) for t in ("<pad>", "<end>", "<end?>", *levels[LEVELS:])]
    tokenizer.add_special_tokens(added)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<end>",
        unk_token="<pad>",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    fast.save_pretrained(folder)
    verdicts = [
        {"good": e.good, "bad": e.bad, "levels": [e.levels.start, e.levels.stop]} for e in ENDINGS
    ]
    ends = [END, END_BAD, *ENDINGS[1].levels]
    document = json.dumps({"verdicts": verdicts, "eos": ends})
    save_text(f"{document}\n", folder / "reasoner.json")
