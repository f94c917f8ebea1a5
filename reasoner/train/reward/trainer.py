"""Training of a classifier at the positions that its verifier reads, by Transformers' trainer."""

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
"""Number of parameters from which a model gets a small rate and gradient checkpointing."""
NONE = -1.0
"""The target of padding, where nothing is read."""
Row = Mapping[str, Any]
"""`input_ids`, `reads` (the positions among them where an output is read) and the `targets` there."""


class LossAtReads(nn.Module):
    """A classifier with the loss of its log-odds at the positions that are read."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, reads: Tensor, targets: Tensor
    ) -> dict[str, Tensor]:
        """Return the cross-entropy at `reads` (solutions, steps) against `targets`, without those of `NONE`."""
        body = self.model.base_model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        )
        solutions = torch.arange(len(reads), device=reads.device)[:, None]
        odds = log_odds(head_of(self.model)(body.last_hidden_state[solutions, reads]).float())
        known = targets != NONE
        return {"loss": bce(odds[known], targets[known])}


def log_odds(logits: Tensor) -> Tensor:
    """Return log-odds of the second of two labels, or of a single one, as verifiers do: (..., labels) to (...)."""
    return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 1] - logits[..., 0]


def collate(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Return a batch padded on the right: attention is causal, so padding changes no read."""

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
    """Train `model`, resuming from the last checkpoint under `out`."""
    gpu = torch.cuda.is_available()
    if model.num_parameters() >= LARGE:
        model.gradient_checkpointing_enable()
    arguments = TrainingArguments(
        output_dir=str(checkpoints(out)),
        num_train_epochs=epochs,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        adam_beta2=0.95,  # At 0.999 some small models never leave their initial plateau.
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
    sequence: Any = rows  # Trainer accepts a sequence, but its types do not.
    trainer = Trainer(
        LossAtReads(model),
        arguments,
        data_collator=collate,
        train_dataset=sequence,
        callbacks=[LossReporter(report)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(out))


class LossReporter(TrainerCallback):
    """Reports the loss."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Report one line per log entry with a loss."""
        if "loss" in (logs or {}):
            self._report(f"step {state.global_step}/{state.max_steps}  loss {logs['loss']:.4f}")


def last_checkpoint(out: Path) -> str | None:
    """Return the latest complete checkpoint: its trainer_state.json is written last."""
    states = checkpoints(out).glob("checkpoint-*/trainer_state.json")
    complete = sorted((int(s.parent.name.rpartition("-")[2]), s.parent) for s in states)
    return str(complete[-1][1]) if complete else None


def checkpoints(out: Path) -> Path:
    """Return the folder of checkpoints, which exists until the training ends."""
    return out / "checkpoints"
