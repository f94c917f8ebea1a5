"""How a classifier is trained where its verifier reads it, by Transformers' own loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from reasoner.train.progress import Report
from reasoner.verifiers.reward.torch_heads import head_of

LARGE = 10**8
"""Parameters from which on a model is trained gently, and remembers no activations."""
NONE = -1.0
"""The target where nothing is read."""
Row = Mapping[str, Any]
"""`input_ids`, `reads` (the places among them where an output is read) and the `targets` there."""


class AtReads(nn.Module):
    """A classifier, and how far its log-odds are from what they should be where they are read."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, reads: Tensor, targets: Tensor
    ) -> dict[str, Tensor]:
        """Cross-entropy at `reads` (solutions, steps) against `targets`, those of `NONE` left out."""
        body = self.model.base_model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        )
        solutions = torch.arange(len(reads), device=reads.device)[:, None]
        odds = log_odds(head_of(self.model)(body.last_hidden_state[solutions, reads]).float())
        wanted = targets != NONE
        return {"loss": bce(odds[wanted], targets[wanted])}


def log_odds(logits: Tensor) -> Tensor:
    """Of the second of two labels, or of a lone one, as the verifiers have it: (..., labels) to (...)."""
    return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 1] - logits[..., 0]


def collate(rows: Sequence[Row]) -> dict[str, Tensor]:
    """A batch padded on the right: what follows a read changes nothing before it."""

    def padded(name: str, value: float) -> Tensor:
        tensors = [torch.tensor(row[name]) for row in rows]
        return pad_sequence(tensors, batch_first=True, padding_value=value)

    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    ids = padded("input_ids", 0)
    return {
        "input_ids": ids,
        "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long(),
        "reads": padded("reads", 0),
        "targets": padded("targets", NONE),
    }


def fit(
    model: Any,
    rows: Sequence[Row],
    out: Path,
    *,
    epochs: int,
    batch: int,
    rate: float,
    seed: int,
    report: Report,
) -> None:
    """Train `model`, from the last checkpoint under `out` on if there is one."""
    gpu = torch.cuda.is_available()
    if model.num_parameters() >= LARGE:
        model.gradient_checkpointing_enable()
    arguments = TrainingArguments(
        output_dir=str(checkpoints(out)),
        num_train_epochs=epochs,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        adam_beta2=0.95,  # At 0.999 some small models never leave the plateau they begin on.
        warmup_steps=0.05,
        seed=seed,
        save_steps=0.1,
        save_total_limit=1,
        logging_steps=0.05,
        bf16=gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not gpu,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
    )
    sequence: Any = rows  # Trainer takes one, and its types do not say so.
    trainer = Trainer(
        AtReads(model),
        arguments,
        data_collator=collate,
        train_dataset=sequence,
        callbacks=[Telling(report)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(out))


class Telling(TrainerCallback):
    """Reports the loss."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One line."""
        if "loss" in (logs or {}):
            self._report(f"step {state.global_step}/{state.max_steps}  loss {logs['loss']:.4f}")


def last_checkpoint(out: Path) -> str | None:
    """The latest checkpoint that was written to its end: its trainer_state.json comes last."""
    states = checkpoints(out).glob("checkpoint-*/trainer_state.json")
    found = sorted((int(s.parent.name.rpartition("-")[2]), s.parent) for s in states)
    return str(found[-1][1]) if found else None


def checkpoints(out: Path) -> Path:
    """Where they are, until the training has ended."""
    return out / "checkpoints"
