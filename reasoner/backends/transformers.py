"""Backend for Transformers in this process, for machines that vLLM does not run on.

The samples of a call are one batch, and concurrent calls take turns token by token, so that a cancelled
call stops after at most one more token. It is slower than vLLM, which batches across calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import PositiveInt

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.local_model import LocalModel
from reasoner.backends.prompt_template import Shots, Template
from reasoner.backends.sample_output import Output
from reasoner.backends.token_confidence import confidences
from reasoner.backends.verdict_tokens import endings
from reasoner.base import Halt
from reasoner.errors import BackendError, ConfigError
from reasoner.files import clipped
from reasoner.types import Generation, Prompt, Sampling, Usage

T = TypeVar("T")


class Transformers(LocalModel):
    """A causal language model that Transformers can load: a folder, or a Hugging Face name.

    The model is loaded by the first call. A prompt's tokens count as cached where an earlier prompt
    began it, and for every sample of a call after the first.

    Args:
        model: folder or Hugging Face name.
        chat: use the chat template; by default, if the tokenizer has one.
        system: a system message, or instructions before the prompt of a base model.
        shots: worked examples of (problem, solution).
        max_model_len: tokens of problem and solution, if fewer than the model's context.
        dtype: of the weights, such as "float32"; by default that of the files.
        device: such as "cpu" or "mps"; by default a GPU if there is one.

    Raises:
        ConfigError: the folder is missing or holds no model.
    """

    def __init__(
        self,
        model: str,
        *,
        chat: bool | None = None,
        system: str = "",
        shots: Shots = (),
        max_model_len: PositiveInt | None = None,
        dtype: str = "auto",
        device: str = "",
    ) -> None:
        super().__init__(Checkpoint(model, max_model_len), Template(system, shots), chat)
        self._dtype, self._device = dtype, device
        self._thread: ThreadPoolExecutor | None = None
        self._loaded: tuple[Any, Any] | None = None

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations as one batch.

        Raises:
            ConfigError: prompt and first token do not fit the context.
            BackendError: the model failed.
        """
        return await self._sampled(prompt, sampling, lambda _: False)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Sample once; stop as soon as `halt` returns True."""
        seen = 0

        def halted(output: Output) -> bool:
            nonlocal seen
            new, seen = output.likeliest[seen:], len(output.likeliest)
            return halt(confidences(new)) and output.finish_reason is None

        return await self._sampled(prompt, replace(sampling, n=1), halted)

    async def start(self) -> Any:
        """Load the model, unless it is loaded."""
        if self._loaded is None:
            await self._run(self._load)
        return self._loaded

    async def aclose(self) -> None:
        """Release the model; the next call loads it again."""
        thread, self._thread, self._loaded = self._thread, None, None
        if thread:
            await asyncio.to_thread(thread.shutdown)

    async def _sampled(
        self, prompt: Prompt, sampling: Sampling, halted: Callable[[Output], bool]
    ) -> Generation:
        ids = self._prompt_ids(prompt)
        self._check_length(len(ids))
        await self.start()
        batch = await self._run(lambda: self._batch(tuple(ids), sampling))
        while batch.live:
            await self._run(batch.step)
            if halted(batch.outputs[0]):
                break
        usage = sum((self._usage(len(ids), o) for o in batch.outputs), Usage(requests=1))
        return Generation(
            tuple(self._completion(o, sampling, prompt) for o in batch.outputs), usage
        )

    async def _run(self, step: Callable[[], T]) -> T:
        """Run a step in the thread that owns the model; calls take turns there."""
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="transformers")

        def without_gradients() -> T:
            import torch

            with torch.inference_mode():
                return step()

        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, without_gradients)
        except (RuntimeError, ValueError, IndexError) as e:
            if isinstance(e, ConfigError):
                raise
            raise BackendError(f"{self.model.name!r} failed: {clipped(e)}") from e

    def _batch(self, ids: tuple[int, ...], sampling: Sampling) -> Any:
        from reasoner.backends.transformers_engine import Batch

        assert self._loaded is not None
        model, prompts = self._loaded
        start, cached = prompts.prefill(ids)
        ends = endings(Path(self.checkpoint.path))
        return Batch(model, self.checkpoint, (start, cached, len(ids)), sampling, ends)

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        from reasoner.backends.transformers_engine import PromptCache

        if self._loaded:
            return
        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            factory: Any = AutoModelForCausalLM
            model = factory.from_pretrained(
                self.checkpoint.path, dtype=self._dtype, trust_remote_code=False
            )
            model = model.to(device).eval()
        except Exception as e:  # Libraries raise any error on untrusted files.
            raise ConfigError(
                f"cannot load model {clipped(self.checkpoint.path)!r}: {clipped(e)}"
            ) from e
        self._loaded = model, PromptCache(model)
