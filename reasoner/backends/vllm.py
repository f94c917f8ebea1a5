"""Backend for vLLM in this process: `AsyncLLM` on a GPU or CPU cores, token ids in and out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import cached_property
from inspect import signature
from typing import Any

from pydantic import PositiveInt

from reasoner.backends.chat_arguments import check_chat_arguments
from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.exclusive_batches import ExclusiveBatches
from reasoner.backends.local_model import LocalModel
from reasoner.backends.prompt_template import Shots, Template
from reasoner.backends.ranks import Ranks
from reasoner.backends.sample_output import Output
from reasoner.backends.token_confidence import confidences
from reasoner.base import Halt, ModelInfo
from reasoner.errors import BackendError, ConfigError
from reasoner.extras import require
from reasoner.models.engine_arguments import check_engine
from reasoner.models.engine_process import keep_memory
from reasoner.models.lora import Adapter
from reasoner.models.parallel import check_parallel
from reasoner.models.vllm_engine import Engine, cuda, failed, gpus, on_this_machine
from reasoner.traits import BackendTraits
from reasoner.types import Generation, Prompt, Sampling, Usage

REASONING = frozenset({"reasoning_parser", "reasoning_config"})
"""Engine arguments that tell vLLM how the model marks its thinking; one is needed to limit it."""
WITHOUT = "or name a server by base_url, or model 'scripted'"
"""Ways to sample without vLLM."""
LEVELS = "reasoner.backends.verdict_logits:Levels"


class VLLM(LocalModel):
    """A causal language model that vLLM can serve: a folder, or a Hugging Face name.

    The engine starts with the first call. Instruct models use their chat template (with `chat=None`,
    if the tokenizer has one). A prompt is tokenised once per problem and continued with exactly the
    sampled ids, so the prefix cache hits.

    Args:
        model: folder or Hugging Face name.
        chat: use the chat template; by default, if the tokenizer has one.
        system: a system message, or instructions before the prompt of a base model.
        shots: worked examples of (problem, solution).
        kv_cache_gib: on a CPU, memory for the key-value cache.
        max_model_len: tokens of problem and solution, if fewer than the model's context.
        lora: folder of a LoRA adapter, with which every request is answered.
        chat_template_kwargs: further variables of the chat template, such as `enable_thinking`.
        engine_args: further arguments of `AsyncEngineArgs`.

    Raises:
        MissingPackage: vLLM is not installed.
        ConfigError: the folder is missing or holds no model or adapter, or vLLM or the chat template has
            no such argument.
    """

    def __init__(
        self,
        model: str,
        *,
        chat: bool | None = None,
        system: str = "",
        shots: Shots = (),
        kv_cache_gib: PositiveInt = 2,
        max_model_len: PositiveInt | None = None,
        lora: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        **engine_args: Any,
    ) -> None:
        require("vllm", user="backend 'vllm'", instead=WITHOUT)
        check_engine(engine_args, signature(VLLM).parameters)
        super().__init__(
            Checkpoint(model, max_model_len),
            Template(system, shots, dict(chat_template_kwargs or {})),
            chat,
        )
        if chat_template_kwargs:
            check_chat_arguments(chat_template_kwargs, self.checkpoint.tokenizer)
        self._adapter = None if lora is None else Adapter(lora)
        self._limit, self._kv_cache_gib, self._engine_args = (
            max_model_len,
            kv_cache_gib,
            engine_args,
        )
        self._engine = Engine(self.arguments)
        self._batches = ExclusiveBatches()
        self._ranks = Ranks(engine_args.get("data_parallel_size", 1))

    @property
    def model(self) -> ModelInfo:
        """The model's name, size with its adapter, and number format, read from its configuration."""
        return self._info

    @cached_property
    def _info(self) -> ModelInfo:
        info, adapter = self.checkpoint.info, self._adapter
        parameters = info.parameters + (adapter.parameters if adapter else 0)
        return replace(info, parameters=parameters, dtype=self._dtype())

    @property
    def traits(self) -> BackendTraits:
        """The traits of any model in this process; thinking is limited if its marks are known."""
        limits = not REASONING.isdisjoint(self._engine_args)
        return replace(super().traits, thinking_budget=limits, schemas=True)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations; each is a request of its own in the engine.

        Raises:
            ConfigError: prompt and first token do not fit the context.
            BackendError: the engine failed.
        """
        engine = await self.start()
        ids = self._prompt_ids(prompt)
        self._check_length(len(ids))
        async with self._batches.take(_kind(sampling)):
            with self._ranks.taken(prompt.problem, sampling.n) as rank:
                parts = [self._parts(engine, ids, p, rank) for p in self._params(sampling)]
                calls = [_draw(each) for each in parts]
                outputs = [await calls[0]] if len(calls) == 1 else await _gather(calls)
        usage = sum((self._usage(len(ids), o) for o in outputs), Usage(requests=1))
        return Generation(tuple(self._completion(o, sampling, prompt) for o in outputs), usage)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Sample once; abort in the engine as soon as `halt` returns True.

        Tokens that the engine decodes before the abort reaches it, one or two, are not in the usage.
        """
        from vllm.sampling_params import RequestOutputKind

        engine = await self.start()
        ids = self._prompt_ids(prompt)
        self._check_length(len(ids))
        [params] = self._params(replace(sampling, n=1))
        params.output_kind = RequestOutputKind.DELTA
        output, seen = Output(), 0
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._batches.take(_kind(sampling)))
            rank = stack.enter_context(self._ranks.taken(prompt.problem, 1))
            parts = await stack.enter_async_context(
                aclosing(self._parts(engine, ids, params, rank))
            )
            async for part in parts:
                output.add(part)
                if halt(confidences(output.likeliest[seen:])) and output.finish_reason is None:
                    break
                seen = len(output.likeliest)
        usage = self._usage(len(ids), output) + Usage(requests=1)
        return Generation((self._completion(output, sampling, prompt),), usage)

    async def reload(self, folder: str) -> None:
        """Serve the weights in `folder`, a model of the same architecture and tokenizer, from now on.

        Raises:
            BackendError: the engine cannot load them.
        """
        self.checkpoint = Checkpoint(folder, self._limit)
        self.__dict__.pop("_info", None)
        if not self._engine.running:
            return
        engine = await self.start()
        try:
            await engine.collective_rpc("reload_weights", kwargs={"weights_path": folder})
            await engine.reset_prefix_cache()
        except Exception as e:
            raise failed(e, "vLLM cannot load other weights") from e

    async def start(self) -> Any:
        """Return the running engine, started by the first caller."""
        return await self._engine.start()

    async def aclose(self) -> None:
        """Stop the engine and its process."""
        await self._engine.aclose()

    async def _parts(
        self, engine: Any, ids: list[int], params: Any, rank: int | None
    ) -> AsyncGenerator[Any]:
        """Yield the engine's outputs of one request; cancelling or closing aborts it in the engine."""
        pinned = {} if rank is None else {"data_parallel_rank": rank}
        try:
            # Rendered ids go to the engine directly, without a thread pool.
            rendered = {"type": "token", "prompt_token_ids": ids}
            lora = self._adapter and self._adapter.request()
            name = self._engine.name()
            request = engine.generate(rendered, params, name, lora_request=lora, **pinned)
            async with aclosing(request) as parts:
                async for part in parts:
                    yield part
        except ValueError as e:
            raise ConfigError(f"vLLM refused the request: {e}") from e
        except Exception as e:
            raise failed(e) from e

    def _params(self, sampling: Sampling) -> list[Any]:
        """Return the engine settings of each sample; equal seeds give equal samples."""
        from vllm.sampling_params import (
            RequestOutputKind,
            SamplingParams,
            StructuredOutputsParams,
        )

        tokens, strings = self.checkpoint.stops((*sampling.stop, *sampling.end))
        labels = self.checkpoint.labels(sampling.labels).tokens
        likeliest = None if labels else sampling.confidences or (0 if sampling.logprobs else None)
        schema = sampling.schema
        silent = {t: bias for t, bias in self.checkpoint.silent.items() if t not in labels}
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
                logprobs=likeliest,
                logprob_token_ids=labels or None,
                flat_logprobs=bool(labels) or likeliest is not None,
                logit_bias=silent or None,
                skip_special_tokens=True,
                thinking_token_budget=sampling.thinking_budget,
                structured_outputs=StructuredOutputsParams(json=schema) if schema else None,
                output_kind=RequestOutputKind.FINAL_ONLY,
                skip_clone=True,
            )
            for i in range(sampling.n)
        ]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the engine on this machine.

        Raises:
            ConfigError: the model cannot be spread over its GPUs as the arguments say.
        """
        heads = self.checkpoint.config.get_text_config().num_attention_heads
        check_parallel(self._engine_args, heads, gpus())
        arguments = {
            "model": self.checkpoint.path,
            "max_num_seqs": 512,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "max_model_len": self.checkpoint.info.context,
        }
        if self.checkpoint.verdicts:
            # Log-probabilities are of the rewritten logits, which are sampled from.
            arguments |= {"logits_processors": [LEVELS], "logprobs_mode": "processed_logprobs"}
        if self._adapter:
            arguments |= self._adapter.arguments
        if not cuda():
            if not any(name.endswith("parallel_size") for name in self._engine_args):
                arguments |= {"distributed_executor_backend": _scheduler_executor()}
            keep_memory()
        return arguments | self._machine() | self._engine_args

    def _machine(self) -> dict[str, Any]:
        """Return the arguments that depend on the machine."""
        return on_this_machine(self.checkpoint.info.context, self._kv_cache_gib, self._stored)

    @property
    def _stored(self) -> str:
        """The number format of the weights' files; "auto" if they do not say."""
        return str(self.checkpoint.config.dtype or "auto").removeprefix("torch.")

    def _dtype(self) -> str:
        """Return the number format that the engine computes in; empty if vLLM chooses it."""
        chosen = {**self._machine(), **self._engine_args}.get("dtype", self._stored)
        return str(chosen) if chosen in {"bfloat16", "float16", "float32"} else ""


def _kind(sampling: Sampling) -> str:
    """Return the kind of a call: for labels, for confidences, or neither.

    vLLM 0.32 returns no likeliest tokens for a request in one batch with a request for named tokens
    (`Sampler.forward` of its first model runner).
    """
    return "labels" if sampling.labels else "confidences" if sampling.confidences else ""


def _scheduler_executor() -> Any:
    from reasoner.backends.vllm_cpu import InSchedulerProcess

    return InSchedulerProcess


async def _draw(requested: AsyncGenerator[Any]) -> Output:
    """Return one whole sample."""
    output = Output()
    async with aclosing(requested) as parts:
        async for part in parts:
            output.add(part)
    if output.finish_reason is None:
        raise BackendError("vLLM ended a request without an output")
    return output


async def _gather(calls: Sequence[Coroutine[Any, Any, Output]]) -> list[Output]:
    """Return all outputs in order; abort the others if one fails or the caller is cancelled."""
    tasks = [asyncio.ensure_future(c) for c in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
