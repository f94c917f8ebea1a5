"""The embedded GPT's alphabet: one token a character, and two ways to end a step.

A line may be ended by either of two newline tokens, and a solution by either of two end tokens.
Both members of a pair look the same to the model that reads them (their input embeddings are
equal) and render as the same text; which one the model writes is its *verdict* on the solution so
far. The probability of the first given the pair is the step's score: no extra token, no request.
"""

from __future__ import annotations

import json
from pathlib import Path

PAD, END, END_BAD, STEP, STEP_BAD = range(5)
SPECIAL = ("<pad>", "<end>", "<end?>", "\n", "<step?>")
ALPHABET = "0123456789+-*/=:,?abcdefghijklmnopqrstuvwxyz"
TOKENS = (*SPECIAL, *ALPHABET)
SIZE = 64
PAIRS = ((STEP, STEP_BAD), (END, END_BAD))
_IDS = {token: i for i, token in enumerate(TOKENS)}


def encode(text: str) -> list[int]:
    """Token ids of `text`; a newline becomes the first of its pair."""
    return [_IDS[c] for c in text]


def decode(ids: list[int]) -> str:
    """The text of `ids`, ends and padding left out."""
    return "".join("\n" if i == STEP_BAD else TOKENS[i] for i in ids if i > END_BAD)


def as_read(ids: list[int]) -> list[int]:
    """`ids` as the model reads them: the second of each pair becomes the first."""
    return [{STEP_BAD: STEP, END_BAD: END}.get(i, i) for i in ids]


def save_tokenizer(folder: Path) -> None:
    """Write the alphabet as a Hugging Face tokenizer into `folder`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = [*TOKENS, *(f"<unused{i}>" for i in range(SIZE - len(TOKENS)))]
    tokenizer = Tokenizer(models.WordLevel({t: i for i, t in enumerate(names)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("<step?>", "\n"), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(t) for t in ("<pad>", "<end>", "<end?>")])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<end>",
        unk_token="<pad>",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    fast.save_pretrained(folder)
    verdicts = {"verdicts": [list(p) for p in PAIRS], "eos": [END, END_BAD]}
    (folder / "reasoner.json").write_text(json.dumps(verdicts) + "\n")
