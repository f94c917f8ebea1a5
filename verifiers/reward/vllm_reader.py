"""Reward models in vLLM: pooling over the prompt, with the prefix cache on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

from reasoner.bill import billed
from reasoner.concurrency import gather
from reasoner.errors import BackendError, ConfigError, EngineDied
from reasoner.models.vllm_engine import Engine, failed, on_this_machine
from reasoner.types import Usage
from reasoner.verifiers.reward.encoding import Encoded, Reading
from reasoner.verifiers.reward.weights import Weights

OWN = {"Qwen2ForPrmModel": "reasoner.verifiers.reward.skywork_vllm:Qwen2ForPrmModel"}
"""Architectures that are registered with vLLM."""


class VLLMReader:
    """A reader of any reward model that vLLM serves; the engine starts with the first call.

    Outputs are raw logits: of every token the engine computed (`token_classify`), or of the last
    one (`classify`) for a sequence classifier. A causal model with `labels` is served as a
    classifier whose rows are the labels' rows of its output layer. vLLM returns no outputs for
    tokens in its prefix cache, so a read among them is requested once more without the cache.
    """

    def __init__(
        self, weights: Weights, labels: Sequence[str], arguments: Mapping[str, Any]
    ) -> None:
        self._weights, self._labels, self._own = weights, tuple(labels), dict(arguments)
        whole = weights.architecture.endswith("ForSequenceClassification")
        self._task: Literal["classify", "token_classify"] = (
            "classify" if whole else "token_classify"
        )
        self._engine = Engine(self._arguments, "; try engine='transformers'")

    def worst(self, inputs: Encoded) -> Usage:
        """Return the cost of a pass over all tokens, after one with the first read in the cache."""
        size, info = len(inputs.ids), self._weights.info
        twice = 0.0 if self._task == "classify" else info.flops(inputs.reads[0], size)
        passes = 1 if self._task == "classify" else 2
        return Usage(1, passes * size, 0, 0, info.flops(0, size) + twice)

    async def read(self, inputs: Sequence[Encoded], salt: str) -> list[Reading]:
        """Return the raw outputs at all reads, in order; each of `inputs` is a request of its own.

        An engine that dies is restarted, and all requests are repeated.

        Raises:
            BackendError: the engine failed, or died too often in a row.
            ConfigError: vLLM cannot serve the model, or refuses the request.
        """
        while True:
            engine = await self.start()
            try:
                readings = await gather(billed(self._read(engine, a, salt)) for a in inputs)
            except EngineDied as e:
                await self._engine.restart(engine, e)
            else:
                self._engine.progressed()
                return readings

    async def start(self) -> Any:
        """Return the running engine, which the first caller starts."""
        return await self._engine.start()

    async def aclose(self) -> None:
        """Stop the engine and its process."""
        await self._engine.aclose()

    async def _read(self, engine: Any, inputs: Encoded, salt: str) -> Reading:
        rows, usage = await self._pool(engine, inputs, salt, cached=True)
        if any(r not in rows for r in inputs.reads):
            rows, again = await self._pool(engine, inputs, salt, cached=False)
            usage += again
        return Reading(tuple(rows[r] for r in inputs.reads), usage + Usage(requests=1))

    async def _pool(
        self, engine: Any, inputs: Encoded, salt: str, *, cached: bool
    ) -> tuple[dict[int, tuple[float, ...]], Usage]:
        """Return the outputs at the computed positions, and the cost of computing them."""
        from vllm.pooling_params import PoolingParams

        params = PoolingParams(
            task=self._task, use_activation=False, skip_reading_prefix_cache=not cached
        )
        size = len(inputs.ids)
        output = await self._ask(engine, inputs.ids, salt, params)
        data = output.outputs.data.tolist()
        logits = [data] if self._task == "classify" else data
        rows = {size - len(logits) + i: tuple(row) for i, row in enumerate(logits)}
        cached_tokens = output.num_cached_tokens or 0
        flops = self._weights.info.flops(cached_tokens, size)
        return rows, Usage(0, size, cached_tokens, 0, flops)

    async def _ask(self, engine: Any, ids: Sequence[int], salt: str, params: Any) -> Any:
        """Return the one output of a request; cancelling aborts it in the engine."""
        prompt = {"type": "token", "prompt_token_ids": list(ids), "cache_salt": salt}
        try:
            request = engine.encode(prompt, params, self._engine.name())
            async with aclosing(request) as parts:
                async for part in parts:
                    return part
        except ValueError as e:
            raise ConfigError(f"vLLM refused to score: {e}") from e
        except Exception as e:
            raise failed(e, "vLLM failed to score") from e
        raise BackendError("vLLM ended a request without an output")

    def _arguments(self) -> dict[str, Any]:
        from vllm.config import PoolerConfig

        # vLLM's STEP pooling, made for process reward models, looks for separators in the whole
        # prompt, but has the outputs of uncached tokens only, and turns the cache off.
        pooler = PoolerConfig(task=self._task, tok_pooling_type="ALL")
        arguments = {
            "model": self._weights.path,
            "runner": "pooling",
            "convert": "classify",
            "pooler_config": pooler,
            "max_model_len": self._weights.info.context,
            "max_num_seqs": 256,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
        }
        machine = on_this_machine(self._weights.info.context, kv_cache_gib=1)
        return arguments | self._conversion() | machine | self._own

    def _conversion(self) -> dict[str, Any]:
        """Return the overrides for an architecture without a classifier that vLLM knows."""
        architecture = self._weights.architecture
        if self._labels:
            rows = {"method": "no_post_processing", "classifier_from_token": list(self._labels)}
            return {"hf_overrides": rows}
        if architecture in OWN:
            return {
                "model_class_overrides": {architecture: OWN[architecture]},
                "hf_overrides": {"num_labels": 1},
            }
        return {}
