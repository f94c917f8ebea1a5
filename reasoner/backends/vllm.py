"""vLLM in this process: `AsyncLLM` on a GPU or on CPU cores, token ids in and out."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
from collections.abc import Sequence
from itertools import count
from typing import Any

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.prompts import Shots, Template
from reasoner.backends.verdicts import told
from reasoner.base import ModelInfo
from reasoner.errors import BackendError, ConfigError
from reasoner.types import Completion, Finish, Generation, Prompt, Sampling, Usage

LEVELS = "reasoner.backends.levels:Levels"


class VLLM:
    """Any causal language model that vLLM serves: a folder, or a Hugging Face name.

    The engine starts with the first call. Instruct models get their chat template (`chat=None`
    asks the tokenizer whether there is one). Prompts are tokenised once a problem and continued
    with exactly the ids that were sampled, so the prefix cache hits.

    Args:
        model: folder or Hugging Face name.
        chat: use the chat template; by default, if the tokenizer has one.
        system: a system message, or instructions before the prompt of a base model.
        shots: worked examples of (problem, solution).
        kv_cache_gib: on a CPU, memory for the key-value cache.
        engine_args: anything else `AsyncEngineArgs` takes.

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
        kv_cache_gib: int = 2,
        **engine_args: Any,
    ) -> None:
        self.checkpoint = Checkpoint(model, engine_args.get("max_model_len"))
        self._template = Template(system, shots)
        self._chat, self._kv_cache_gib, self._engine_args = chat, kv_cache_gib, engine_args
        self._engine: Any = None
        self._starting = asyncio.Lock()
        self._ids = count()
        self._prompts = dict[str, list[int]]()

    @property
    def model(self) -> ModelInfo:
        """The model's name and size, read from its configuration."""
        return self.checkpoint.info

    def prompt_length(self, prompt: Prompt) -> int:
        """Tokens of the rendered problem and of what was sampled after it."""
        return len(self._prompt_ids(prompt))

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations; each is a request of its own in the engine.

        Raises:
            ConfigError: prompt and first token do not fit the context.
            BackendError: the engine failed.
        """
        engine = await self.start()
        ids = self._prompt_ids(prompt)
        self._check_length(len(ids))
        calls = [self._draw(engine, ids, params) for params in self._params(sampling)]
        outputs = [await calls[0]] if len(calls) == 1 else await _gather(calls)
        usage = sum((self._usage(len(ids), o) for o in outputs), Usage(requests=1))
        return Generation(tuple(self._completion(o.outputs[0]) for o in outputs), usage)

    async def start(self) -> Any:
        """The running engine, started by the first caller."""
        async with self._starting:
            if self._engine is None:
                self._engine = await asyncio.to_thread(_launch, self._arguments())
                atexit.register(self._engine.shutdown)
        return self._engine

    async def aclose(self) -> None:
        """Stop the engine and its process."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            atexit.unregister(engine.shutdown)
            engine.shutdown()
            del engine
            # The engine is part of a cycle, and its finalizer fails when the interpreter ends first.
            await asyncio.sleep(0)
            gc.collect()

    async def _draw(self, engine: Any, ids: list[int], params: Any) -> Any:
        """One sample. Cancelling it, or closing the iterator, aborts the request in the engine."""
        name, output = f"reasoner-{next(self._ids)}", None
        try:
            # Marked as rendered, ids go to the engine without a detour through a thread pool.
            rendered = {"type": "token", "prompt_token_ids": ids}
            async for part in engine.generate(rendered, params, name):
                output = part
        except asyncio.CancelledError:
            raise
        except ValueError as e:
            raise ConfigError(f"vLLM refused the request: {e}") from e
        except Exception as e:
            raise BackendError(f"vLLM failed: {type(e).__name__}: {e}") from e
        if output is None:
            raise BackendError("vLLM ended a request without an output")
        return output

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        """The rendered problem, then what was sampled, or a solution's start given as text."""
        written = prompt.token_ids or self.checkpoint.encode(prompt.text)
        return [*self._problem_ids(prompt), *written]

    def _problem_ids(self, prompt: Prompt) -> list[int]:
        text = prompt.problem.prompt
        if text not in self._prompts:
            if len(self._prompts) > 10_000:
                self._prompts.clear()
            self._prompts[text] = self._render(prompt)
        return self._prompts[text]

    def _render(self, prompt: Prompt) -> list[int]:
        tokenizer = self.checkpoint.tokenizer
        chat = self._chat if self._chat is not None else bool(tokenizer.chat_template)
        if not chat:
            return list(tokenizer.encode(self._template.text(prompt.problem)))
        messages = self._template.messages(prompt.problem)
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(tokenizer.encode(text, add_special_tokens=False))

    def _params(self, sampling: Sampling) -> list[Any]:
        """Engine settings of each sample; the same request seed gives the same samples."""
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        tokens, strings = self.checkpoint.stops(sampling.stop)
        return [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=None if sampling.seed is None else sampling.seed + i,
                stop_token_ids=tokens,
                stop=strings,
                include_stop_str_in_output=True,
                detokenize=bool(strings),
                logprobs=0 if sampling.logprobs else None,
                flat_logprobs=sampling.logprobs,
                skip_special_tokens=True,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            for i in range(sampling.n)
        ]

    def _completion(self, output: Any) -> Completion:
        ids = tuple(output.token_ids)
        return Completion(
            text=self.checkpoint.decode(ids),
            token_ids=ids,
            finish=self._finish(output),
            logprob=_logprob(output.logprobs),
            verdicts=told(ids, self.checkpoint.verdicts),
        )

    def _finish(self, output: Any) -> Finish:
        if output.finish_reason == "length":
            return Finish.LENGTH
        ended = output.stop_reason is None or output.stop_reason in self.checkpoint.ends
        return Finish.EOS if ended else Finish.STOP

    def _usage(self, prompt: int, output: Any) -> Usage:
        cached, decoded = output.num_cached_tokens or 0, len(output.outputs[0].token_ids)
        # The last sampled token is never fed back, so it costs nothing to compute on.
        flops = self.model.flops(cached, prompt + decoded - 1)
        return Usage(0, prompt, cached, decoded, flops)

    def _check_length(self, length: int) -> None:
        if length >= self.model.context:
            raise ConfigError(
                f"the problem takes {length} tokens, and {self.model.name!r} has a context of"
                f" {self.model.context} for problem and solution; shorten it or use another model"
            )

    def _arguments(self) -> dict[str, Any]:
        arguments = {
            "model": self.checkpoint.path,
            "max_num_seqs": 512,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "max_model_len": self.model.context,
        }
        if self.checkpoint.verdicts:
            # The logits as rewritten are the ones that were sampled from.
            arguments |= {"logits_processors": [LEVELS], "logprobs_mode": "processed_logprobs"}
        if not _cuda():
            # Below 32 vLLM refuses; its default of 128 never hits on short problems.
            arguments |= {"block_size": 32, "enforce_eager": True, "dtype": "float32"}
            # A seeded request whose prompt is split into chunks kills vLLM 0.32's CPU worker.
            whole = max(2048, self.model.context)
            arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": whole}
            if not any(name.endswith("parallel_size") for name in self._engine_args):
                arguments |= {"distributed_executor_backend": _in_the_engine_process()}
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(self._kv_cache_gib))
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        return arguments | self._engine_args


def _launch(arguments: dict[str, Any]) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
    except (TypeError, ValueError, OSError) as e:
        raise ConfigError(f"vLLM cannot serve {arguments['model']!r}: {e}") from e
    except Exception as e:
        raise BackendError(f"the vLLM engine did not start: {type(e).__name__}: {e}") from e


def _in_the_engine_process() -> Any:
    """The executor that computes where the engine schedules.

    With a process apart, as is vLLM's default on CPUs, the scheduler keeps a core busy waiting.
    """
    from vllm.v1.executor.uniproc_executor import UniProcExecutor

    return UniProcExecutor


def _cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


async def _gather(calls: Sequence[Any]) -> list[Any]:
    """All outputs in order; if one fails or the caller is cancelled, the others are aborted."""
    tasks = [asyncio.ensure_future(c) for c in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _logprob(logprobs: Any) -> float | None:
    """The sum over sampled tokens; each position lists its sampled token first."""
    if logprobs is None:
        return None
    return float(sum(logprobs.logprobs[start] for start in logprobs.start_indices))
