"""Backend for Transformers in this process, for machines that vLLM does not run on.

Concurrent calls grow in one batch, token by token, so that a cancelled call stops after at most one more
token. It is slower than vLLM, whose kernels are made for this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pydantic import PositiveInt

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.local_model import LocalModel
from reasoner.backends.prompt_template import Shots, Template
from reasoner.backends.sample_output import Output
from reasoner.backends.token_confidence import confidences
from reasoner.backends.transformers_calls import CallServer
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
        self._loaded: Any = None
        self._servers = WeakKeyDictionary[asyncio.AbstractEventLoop, CallServer]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations.

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
        servers, self._servers = self._servers, WeakKeyDictionary()
        if own := servers.get(asyncio.get_running_loop()):
            await own.aclose()
        thread, self._thread, self._loaded = self._thread, None, None
        if thread:
            await asyncio.to_thread(thread.shutdown)

    async def _sampled(
        self, prompt: Prompt, sampling: Sampling, halted: Callable[[Output], bool]
    ) -> Generation:
        ids = self._prompt_ids(prompt)
        self._check_length(len(ids))
        server = await self._server()
        outputs = await server.sample(tuple(ids), sampling, halted)
        usage = sum((self._usage(len(ids), o) for o in outputs), Usage(requests=1))
        return Generation(tuple(self._completion(o, sampling, prompt) for o in outputs), usage)

    async def _server(self) -> CallServer:
        """Return the server of the calls of this event loop."""
        engine = await self.start()
        loop = asyncio.get_running_loop()
        if loop not in self._servers:
            self._servers[loop] = CallServer(self._run, engine.batch())
        return self._servers[loop]

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

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        from reasoner.backends.transformers_engine import LoadedModel

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
        ends = endings(Path(self.checkpoint.path))
        self._loaded = LoadedModel(model, self.checkpoint, ends)
