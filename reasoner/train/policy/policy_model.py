"""The model in training: its tokens, its loss, and its files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.prompt_template import Template
from reasoner.backends.verdict_tokens import Ending, endings
from reasoner.base import ModelInfo
from reasoner.errors import ConfigError
from reasoner.extras import require
from reasoner.files import make_folder
from reasoner.models.precision import cpu_has_bfloat16
from reasoner.train.gpt.loop import device
from reasoner.train.policy.packing import PackedRow, TokenisedSolution
from reasoner.train.policy.recipe import Precision, TrainingRecipe
from reasoner.train.policy.solutions import Pair
from reasoner.types import Problem

NEVER = -1e9
"""The logit of a token that is not to be written."""
CLOSE = 1e-3
"""The largest difference between logits of a problem alone and of the same problem in a packed row."""


class PolicyModel:
    """A causal language model in training, with all of its weights or with adapters.

    Weights are in single precision, whatever the precision of the computation. The two tokens that a model
    with verdicts can end a step with count as one: imitation teaches when to end a step, and leaves the
    odds between them as they are.

    Raises:
        ConfigError: the weights cannot be loaded, or peft is needed and not installed.
    """

    def __init__(self, path: str, recipe: TrainingRecipe) -> None:
        self.name, self.checkpoint, self.recipe = path, Checkpoint(path), recipe
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        transformers.set_seed(recipe.seed)
        model = load(self.checkpoint, torch.float32)
        self.model: Any = adapted(model, recipe.lora) if recipe.lora else model
        self.model.to(device()).train()
        if recipe.recompute:
            self.model.enable_input_require_grads()
            self.model.gradient_checkpointing_enable()
        self._endings = endings(Path(self.checkpoint.path))
        self._precision = computed_in(recipe.precision)

    @property
    def info(self) -> ModelInfo:
        """The sizes of the model that is trained, without adapters."""
        return self.checkpoint.info

    @cached_property
    def weights(self) -> dict[str, nn.Parameter]:
        """The weights that are trained, by name."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def adapter_weights(self) -> int:
        """The number of weights of the adapters; 0 where all weights are trained."""
        return sum(p.numel() for p in self.weights.values()) if self.recipe.lora else 0

    def tokenise(self, pair: Pair) -> TokenisedSolution | None:
        """Return the tokens of a pair, with the end token; None if they do not fit the context."""
        prompt = self.prompt_ids(pair.prompt)
        end = self.checkpoint.tokenizer.eos_token_id
        ids = [*prompt, *self.checkpoint.encode(pair.solution), *([] if end is None else [end])]
        return TokenisedSolution(tuple(ids), len(prompt)) if self.fits(ids) else None

    def fits(self, ids: Sequence[int]) -> bool:
        """Return True if the context has room for `ids`."""
        return len(ids) <= self.info.context

    def prompt_ids(self, prompt: str) -> list[int]:
        """Return the tokens of a problem, as a backend renders it."""
        return Template().ids(self.checkpoint.tokenizer, Problem("", prompt))

    def as_read(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Return sampled tokens as the model reads them: each verdict as the first token of its pair."""
        read = {t: e.good for e in self._endings for t in (e.bad, *e.levels)}
        return tuple(read.get(i, i) for i in ids)

    def loss(self, row: PackedRow) -> Tensor:
        """Return the weighted sum of the negative log-probabilities of the solutions' tokens, in nats."""
        logits = merged(self._logits(row, self._precision), self._endings)
        return (cross_entropy(logits, row.targets, reduction="none") * row.weights).sum()

    @torch.no_grad()
    def check_packing(self, first: TokenisedSolution, second: TokenisedSolution) -> None:
        """Refuse an architecture whose attention crosses from one problem of a row to the next.

        Raises:
            ConfigError: the logits of `second` depend on `first`.
        """
        self.model.eval()
        rows = [PackedRow.of(part, device()) for part in ([first, second], [second])]
        packed, alone = (self._logits(r, None) for r in rows)
        self.model.train()
        difference = float((packed[-len(alone) :] - alone).abs().max())
        if difference > CLOSE:
            raise ConfigError(
                f"{self.info.name!r} attends from one problem of a packed row to another (logits differ by"
                f" {difference:.3g}); use a model with attention masks from positions"
            )

    def save(self, out: Path) -> None:
        """Write the model, its adapters merged, in the precision that its files have; and its tokenizer.

        The adapters alone are written to the folder `adapter` in `out`.
        """
        make_folder(out)
        transformers.logging.disable_progress_bar()
        whole = load(self.checkpoint, torch.float32)
        if self.recipe.lora:
            self._save_adapter(out / "adapter")
            whole = merged_adapter(whole, out / "adapter")
        else:
            whole.load_state_dict(self.model.state_dict())
        tie_verdicts(whole, self._endings)
        whole.to(self.checkpoint.config.dtype or torch.float32).save_pretrained(out)
        self.checkpoint.tokenizer.save_pretrained(out)
        described = Path(self.checkpoint.path) / "reasoner.json"
        if described.exists():
            shutil.copy(described, out)

    def _save_adapter(self, out: Path) -> None:
        """Write the adapter and the tokenizer; the base that it names is the model as it was given."""
        local = os.path.exists(self.name)
        base = os.path.abspath(self.name) if local else self.name
        self.model.peft_config["default"].base_model_name_or_path = base
        self.model.save_pretrained(out)
        self.checkpoint.tokenizer.save_pretrained(out)

    def _logits(self, row: PackedRow, precision: torch.dtype | None) -> Tensor:
        """Return the logits at the row's `reads`, (reads, vocabulary), in single precision."""
        with torch.autocast(device(), precision, enabled=precision is not None):
            output = self.model(
                input_ids=row.ids,
                position_ids=row.positions,
                logits_to_keep=row.reads,
                use_cache=False,
            )
        logits: Tensor = output.logits[0].float()
        return logits


def load(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    """Load a causal language model onto the CPU.

    Raises:
        ConfigError: Transformers cannot load it.
    """
    try:
        return transformers.AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=dtype)
    except (OSError, ValueError) as e:
        cause = str(e).splitlines()[0]
        raise ConfigError(f"cannot train {checkpoint.path!r}: {cause}") from e


def adapted(model: Any, rank: int) -> Any:
    """Return `model` with an adapter of `rank` at every matrix but the output layer (Hu et al., 2021).

    Its scale, alpha / rank, is 2.
    """
    require("peft", user="--lora")
    import peft

    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return peft.get_peft_model(model, config)


def merged_adapter(model: Any, adapter: Path) -> Any:
    """Return `model` with the adapter in a folder added to its weights."""
    import peft

    return peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()


def computed_in(precision: Precision) -> torch.dtype | None:
    """Return bfloat16 if it is chosen, or if "auto" and this machine computes in it; else None."""
    if precision == "auto":
        gpu = torch.cuda.is_available()
        fast = torch.cuda.is_bf16_supported() if gpu else cpu_has_bfloat16()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if precision == "bfloat16" else None


def merged(logits: Tensor, pairs: Sequence[Ending]) -> Tensor:
    """Return logits in which the first token of each pair has the probability of both."""
    if not pairs:
        return logits
    result = logits.clone()
    for ending in pairs:
        both = torch.stack((logits[..., ending.good], logits[..., ending.bad]), -1)
        result[..., ending.good] = torch.logsumexp(both, -1)
        result[..., [ending.bad, *ending.levels]] = NEVER
    return result


@torch.no_grad()
def tie_verdicts(model: Any, pairs: Sequence[Ending]) -> None:
    """Give all tokens of an ending the input embedding of its first, which training has moved."""
    table = model.get_input_embeddings().weight
    for ending in pairs:
        table[[ending.bad, *ending.levels]] = table[ending.good].clone()
