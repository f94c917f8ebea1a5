"""The requests of the API: fields that are read, fields that are refused; all others are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from reasoner.messages import LONGEST
from reasoner.naming import LARGEST
from reasoner.server.answer_format import ChatFormat, TextFormat
from reasoner.server.settings import BudgetOptions, Effort, Strict

Name = Annotated[str, Field(min_length=1, max_length=500)]
Stops = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=16)]
Temperature = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
TopP = Annotated[float, Field(gt=0, le=1)]
RequestSeed = Annotated[int, Field(ge=0, le=LARGEST)]


class SearchOptions(Strict):
    """The object `reasoner` of a request: the search, which wins over the model's name.

    `choices="ranked"` returns the `n` best distinct solutions of one search; "independent" are the
    answers of `n` searches. With `events`, a stream has every step of the search.
    """

    strategy: Name | None = None
    n: PositiveInt | None = None
    verifier: Name | None = None
    task: Name | None = None
    budget: BudgetOptions = BudgetOptions()
    choices: Literal["independent", "ranked"] = "independent"
    seed: RequestSeed | None = None
    events: bool = False


class StreamOptions(BaseModel, extra="ignore"):
    """Options of a stream: whether its last part is the usage."""

    include_usage: bool = False


class ReasoningOptions(BaseModel, extra="ignore"):
    """The object `reasoning` of the Responses API; mode "pro" without an effort is the largest one."""

    effort: Effort | None = None
    mode: Literal["standard", "pro"] | None = None

    @property
    def chosen(self) -> Effort | None:
        """The effort of the two fields together."""
        return self.effort or ("max" if self.mode == "pro" else None)


class TextOptions(BaseModel, extra="ignore"):
    """The object `text` of the Responses API."""

    format: TextFormat | None = None


class SearchRequest(BaseModel, extra="ignore"):
    """The fields that all endpoints share; `max_tokens` caps one solution, not the search."""

    model: Name
    reasoner: SearchOptions = SearchOptions()
    n: PositiveInt = 1
    seed: RequestSeed | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stop: Annotated[str, Field(min_length=1, max_length=200)] | Stops | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None
    reasoning_effort: Effort | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end a solution."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def longest(self) -> int | None:
        """The most tokens of one solution."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def effort(self) -> Effort | None:
        """The effort that is asked for."""
        return self.reasoning_effort

    @property
    def schema_text(self) -> str:
        """The JSON schema that answers are held to, as JSON text; empty for any text."""
        return ""

    @property
    def reports_usage(self) -> bool:
        """True if a stream is to end with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(SearchRequest):
    """The body of `/v1/chat/completions`; messages are checked where the problem is posed."""

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    logprobs: bool | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: ChatFormat | None = None

    @property
    def schema_text(self) -> str:
        """The JSON schema that answers are held to, as JSON text; empty for any text."""
        return self.response_format.schema_text if self.response_format else ""


class CompletionRequest(SearchRequest):
    """The body of `/v1/completions`: a text to be continued, or several."""

    prompt: Annotated[str, Field(max_length=LONGEST)] | Annotated[list[Any], Field(min_length=1)]
    echo: bool | None = None
    logprobs: NonNegativeInt | None = None
    suffix: str | None = None
    best_of: int | None = None


class ResponseRequest(SearchRequest):
    """The body of `/v1/responses`; input items are read where the problem is posed."""

    input: (
        Annotated[str, Field(max_length=LONGEST)]
        | Annotated[list[dict[str, Any]], Field(min_length=1)]
    )
    instructions: Annotated[str, Field(max_length=LONGEST)] | None = None
    max_output_tokens: PositiveInt | None = None
    reasoning: ReasoningOptions | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    tools: list[Any] | None = None
    text: TextOptions | None = None

    @property
    def schema_text(self) -> str:
        """The JSON schema that answers are held to, as JSON text; empty for any text."""
        return self.text.format.schema_text if self.text and self.text.format else ""

    @property
    def text_format(self) -> dict[str, Any]:
        """The format as it was asked for."""
        if not self.text or not self.text.format:
            return {"type": "text"}
        return self.text.format.model_dump(by_alias=True, exclude_none=True)

    @property
    def longest(self) -> int | None:
        """The most tokens of one solution."""
        return self.max_output_tokens or super().longest

    @property
    def effort(self) -> Effort | None:
        """The effort that is asked for."""
        return (self.reasoning and self.reasoning.chosen) or super().effort


class TokenizeRequest(BaseModel, extra="ignore"):
    """The body of `/tokenize`."""

    prompt: Annotated[str, Field(max_length=LONGEST)]
