"""A model whose files are read in this process: its prompts, tokens, ends and costs."""

from __future__ import annotations

from collections.abc import Sequence

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.prompt_template import Rendered, Template
from reasoner.backends.sample_output import Output
from reasoner.backends.verdict_tokens import verdicts_of
from reasoner.base import ModelInfo
from reasoner.errors import ConfigError
from reasoner.messages import Messages
from reasoner.traits import BackendTraits
from reasoner.types import Completion, Finish, Problem, Prompt, Sampling, Usage


class LocalModel:
    """The common part of backends with a model in this process, whatever engine samples.

    A prompt is tokenised once per problem and continued with exactly the sampled ids.
    """

    def __init__(self, checkpoint: Checkpoint, template: Template, chat: bool | None) -> None:
        self.checkpoint, self._template, self._chat = checkpoint, template, chat
        self._prompts = dict[tuple[str, Messages], Rendered]()

    @property
    def model(self) -> ModelInfo:
        """The model's name and size, read from its configuration."""
        return self.checkpoint.info

    @property
    def traits(self) -> BackendTraits:
        """All abilities but a limit of thinking; verdicts where the model has tokens for them."""
        return BackendTraits(
            verdicts=bool(self.checkpoint.verdicts),
            logprobs=True,
            confidences=True,
            labels=True,
            watches=True,
            spells=True,
        )

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the tokens of the rendered problem and its continuation."""
        return len(self._prompt_ids(prompt))

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text that continues another."""
        return tuple(self.checkpoint.encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without ends."""
        return self.checkpoint.decode(ids)

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Refuse labels that are not one token each.

        Raises:
            ConfigError: one is not.
        """
        self.checkpoint.labels(labels)

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        """Return the rendered problem, then the sampled ids or the start of a solution as text."""
        return self._rendered(prompt.problem).continued(prompt, self.checkpoint.encode)

    def _rendered(self, problem: Problem) -> Rendered:
        if problem.key not in self._prompts:
            if len(self._prompts) > 10_000:
                self._prompts.clear()
            tokenizer = self.checkpoint.tokenizer
            self._prompts[problem.key] = self._template.render(tokenizer, problem, self._chat)
        return self._prompts[problem.key]

    def _completion(self, output: Output, sampling: Sampling, prompt: Prompt) -> Completion:
        labels = self._labels(output, sampling)
        if (size := self.checkpoint.before(sampling.end, output.token_ids)) is not None:
            # One token counts as the end, as for a model with its own.
            output = output.first(size + 1)
        ids = tuple(output.token_ids)
        return Completion(
            text=self._rendered(prompt.problem).shown(prompt, self.checkpoint.decode(ids[:size])),
            token_ids=ids,
            finish=self._finish(output) if size is None else Finish.EOS,
            logprob=output.logprob,
            verdicts=verdicts_of(ids, self.checkpoint.verdicts),
            confidences=output.confidences,
            entropies=output.entropies,
            logprobs=output.logprobs,
            labels=labels,
        )

    def _labels(self, output: Output, sampling: Sampling) -> tuple[float, ...]:
        """Return the labels' log-probabilities, which vLLM returns in place of the likeliest tokens."""
        if not sampling.labels:
            return ()
        first, output.likeliest = output.likeliest[0], []
        return self.checkpoint.labels(sampling.labels).label_logprobs(first)

    def _finish(self, output: Output) -> Finish:
        if output.finish_reason == "length":
            return Finish.LENGTH
        if output.finish_reason is None:
            return Finish.ABORTED
        ended = output.stop_reason is None or output.stop_reason in self.checkpoint.ends
        return Finish.EOS if ended else Finish.STOP

    def _usage(self, prompt: int, output: Output) -> Usage:
        cached, decoded = output.cached_tokens, len(output.token_ids)
        # The last sampled token is never fed back, so it costs no FLOPs.
        flops = self.model.flops(cached, prompt + decoded - 1)
        return Usage(0, prompt, cached, decoded, flops)

    def _check_length(self, length: int) -> None:
        if length >= self.model.context:
            raise ConfigError(
                f"the problem takes {length} tokens, and {self.model.name!r} has a context of"
                f" {self.model.context} for problem and solution; shorten it or use another model"
            )
