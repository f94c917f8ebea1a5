"""Reward models as torch modules: a causal body, and the head of each architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    Qwen2Model,
    Qwen2PreTrainedModel,
)

from reasoner.errors import ConfigError
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.weights import Weights

LogitRows = tuple[tuple[float, ...], ...]
Pretrained: Any = Qwen2PreTrainedModel


@dataclass(frozen=True, slots=True)
class Headed:
    """A body that computes hidden states, and a head that maps them to logits."""

    body: Any
    head: Callable[[Tensor], Tensor]

    @torch.inference_mode()
    def rows(self, batch: Sequence[Encoded]) -> list[LogitRows]:
        """Return the logits at the reads of each of `batch`."""
        ids = nn.utils.rnn.pad_sequence([torch.tensor(e.ids) for e in batch], batch_first=True)
        lengths = torch.tensor([len(e.ids) for e in batch])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        device = self.body.device
        output = self.body(input_ids=ids.to(device), attention_mask=mask.to(device, torch.long))
        hidden = output.last_hidden_state
        return [self._read(hidden[i, list(e.reads)]) for i, e in enumerate(batch)]

    def _read(self, hidden: Tensor) -> LogitRows:
        return tuple(tuple(row) for row in self.head(hidden).float().tolist())


class Qwen2ForRewardModel(Pretrained):  # type: ignore[misc]
    """Qwen2.5-Math-RM: two layers on every hidden state, one label (`modeling_qwen2_rm.py`)."""

    labels = 1

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        width = config.hidden_size
        self.score = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self.labels)
        )
        self.post_init()


class Qwen2ForProcessRewardModel(Qwen2ForRewardModel):
    """Qwen2.5-Math-PRM: the same with two labels."""

    labels = 2


class Qwen2ForPrmModel(Pretrained):  # type: ignore[misc]
    """Skywork-o1-Open-PRM: a value head, one number per token (`prm_model.py`)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.v_head = nn.ModuleDict({"summary": nn.Linear(config.hidden_size, 1)})
        self.post_init()

    @property
    def score(self) -> nn.Module:
        return self.v_head["summary"]


OWN = {c.__name__: c for c in (Qwen2ForRewardModel, Qwen2ForProcessRewardModel, Qwen2ForPrmModel)}
AUTO = {
    "TokenClassification": AutoModelForTokenClassification,
    "SequenceClassification": AutoModelForSequenceClassification,
}


def load(weights: Weights, labels: Sequence[str]) -> Headed:
    """Load the model in `weights`, in its saved precision on a GPU, else in single precision.

    Raises:
        ConfigError: the model has no head to read.
    """
    kind: Any = AutoModelForCausalLM if labels else _kind(weights.architecture)
    gpu = torch.cuda.is_available()
    model = kind.from_pretrained(weights.path, dtype="auto" if gpu else torch.float32).eval()
    model.to("cuda" if gpu else "cpu")
    if labels:
        return Headed(model.base_model, _of_labels(model, weights.tokenizer, labels))
    return Headed(model.base_model, head_of(model))


def head_of(model: Any) -> Any:
    """Return the module that maps a classifier's hidden states to logits.

    Raises:
        ConfigError: it is not where classifiers have it.
    """
    head = getattr(model, "score", None) or getattr(model, "classifier", None)
    if head is None:
        raise ConfigError(f"{type(model).__name__} has no head called score or classifier")
    return head


def _kind(architecture: str) -> Any:
    if architecture in OWN:
        return OWN[architecture]
    for suffix, auto in AUTO.items():
        if architecture.endswith(suffix):
            return auto
    raise ConfigError(
        f"{architecture} is no reward model: its name must end in"
        f" {' or '.join(f'For{s}' for s in AUTO)}, or be one of {', '.join(OWN)}"
    )


def _of_labels(model: Any, tokenizer: Any, labels: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """Return the function from hidden states to the logits of `labels`."""
    rows = model.get_output_embeddings().weight[tokenizer.convert_tokens_to_ids(list(labels))]
    return lambda hidden: hidden @ rows.T
