"""Reward models behind a vLLM server (`vllm serve --runner pooling`): its `/pooling` and `/classify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from reasoner.backends.connection import CallLimits, Connection
from reasoner.backends.headers import chosen_key
from reasoner.backends.replies import ReportedUsage, reported_usage
from reasoner.bill import add_to_bill, billed
from reasoner.concurrency import gather
from reasoner.errors import BackendError
from reasoner.types import Usage
from reasoner.verifiers.reward.encoding import Encoded, Reading
from reasoner.verifiers.reward.reader import ServerOptions
from reasoner.verifiers.reward.weights import Weights

Logit = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Row = Annotated[list[Logit], Field(min_length=1)]


class TokenRows(BaseModel):
    """The outputs of one text, a row a token."""

    data: list[Row]


class Pooled(BaseModel):
    """The reply of `/pooling` to one text."""

    data: Annotated[list[TokenRows], Field(min_length=1, max_length=1)]
    usage: ReportedUsage = ReportedUsage()

    @property
    def rows(self) -> list[Row]:
        """The rows of all tokens."""
        return self.data[0].data


class ClassRow(BaseModel):
    """The outputs of one text, read at its last token."""

    probs: Row


class Classified(BaseModel):
    """The reply of `/classify` to one text; without the activation, its `probs` are logits."""

    data: Annotated[list[ClassRow], Field(min_length=1, max_length=1)]
    usage: ReportedUsage = ReportedUsage()

    @property
    def rows(self) -> list[Row]:
        """The one row."""
        return [self.data[0].probs]


class ServedReader:
    """A reader of a reward model on a vLLM server; the tokens are encoded here.

    Outputs are raw logits: of every token (`/pooling`, task `token_classify`), or of the last one
    (`/classify`) for a sequence classifier. Each of a batch is a request of its own, all at once.
    `width` is the number of labels of a causal model, whose logits the server must give as classes.
    """

    def __init__(
        self, weights: Weights, width: int, server: ServerOptions, limits: CallLimits = CallLimits()
    ) -> None:
        self._weights, self._width, self._model = weights, width, server.model
        self._whole = weights.architecture.endswith("ForSequenceClassification")
        key = chosen_key(server.api_key, server.api_key_env)
        place = server.base_url.rstrip("/").removesuffix("/v1")
        self._server = Connection(place, key, limits, headers=dict(server.headers))

    def worst(self, inputs: Encoded) -> Usage:
        """Return the cost of one pass over all tokens."""
        size = len(inputs.ids)
        return Usage(1, size, 0, 0, self._weights.info.flops(0, size))

    async def start(self) -> None:
        """Do nothing: the server runs already."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def read(self, inputs: Sequence[Encoded], salt: str) -> list[Reading]:
        """Return the raw outputs at all reads, in order.

        Raises:
            AccessDenied: the server refuses every request, or has no such endpoint.
            ConfigError: it refuses this request.
            BackendError: no answer after all tries, or an invalid one.
        """
        return await gather(billed(self._read(each, salt)) for each in inputs)

    async def _read(self, inputs: Encoded, salt: str) -> Reading:
        path, task = ("/classify", {}) if self._whole else ("/pooling", {"task": "token_classify"})
        body: dict[str, Any] = {
            "model": self._model, "input": list(inputs.ids), "use_activation": False,
            "cache_salt": salt, **task,
        }  # fmt: skip
        content = await self._server.post(path, body)
        try:
            reply: Pooled | Classified = (
                self._server.read(Classified, content)
                if self._whole
                else self._server.read(Pooled, content)
            )
            rows = self._rows(inputs, reply.rows)
        except BackendError:
            if spent := reported_usage(content):
                add_to_bill(self._usage(inputs, spent))
            raise
        return Reading(rows, self._usage(inputs, reply.usage))

    def _rows(self, inputs: Encoded, rows: Sequence[Row]) -> tuple[tuple[float, ...], ...]:
        """Return the rows at the reads.

        Raises:
            BackendError: rows are missing, or have another width than the labels.
        """
        expected = 1 if self._whole else len(inputs.ids)
        if len(rows) != expected:
            raise self._server.error(
                f"sent {len(rows)} rows of outputs for {expected} tokens; start it with"
                " --runner pooling --convert classify, and without a pooling type for steps"
            )
        if self._width and any(len(row) != self._width for row in rows):
            raise self._server.error(
                f"sent {len(rows[0])} outputs a token instead of {self._width}; start it with"
                " --hf-overrides that name the labels (classifier_from_token)"
            )
        first = len(inputs.ids) - len(rows)
        return tuple(tuple(rows[read - first]) for read in inputs.reads)

    def _usage(self, inputs: Encoded, spent: ReportedUsage) -> Usage:
        """Return the usage of a request: what the server reports, and its own tokens where it does not."""
        size = len(inputs.ids)
        length, cached = spent.prompt_tokens, min(spent.cached_tokens, size)
        flops = self._weights.info.flops(cached, size)
        estimated = size if length is None else 0
        return Usage(1, max(size, length or 0), cached, 0, flops, estimated)
