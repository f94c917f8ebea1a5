"""Streamed replies of an OpenAI-compatible server, assembled as they arrive."""

from __future__ import annotations

from collections.abc import Iterator

from reasoner.backends.replies import Event, ReportedUsage, ServedSample, logprobs
from reasoner.backends.token_confidence import confidences


class Events:
    """A parser of server-sent events from chunks of bytes."""

    def __init__(self) -> None:
        self.done = False
        self._rest = list[bytes]()

    def add(self, chunk: bytes) -> Iterator[str]:
        """Add a chunk and yield the data of the events it completes."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            field, _, data = b"".join([*self._rest, line]).strip().partition(b":")
            self._rest.clear()
            self.done |= field == b"data" and data.strip() == b"[DONE]"
            if field == b"data" and not self.done:
                yield data.decode("utf-8", "replace")
        self._rest.append(rest)


class Streamed:
    """Events joined into the reply of an unstreamed request."""

    def __init__(self) -> None:
        self.sample = ServedSample()
        self.pieces = 0
        """Number of events with tokens, at most the number of tokens."""
        self._usage = ReportedUsage()
        self.prompt_ids: list[int] | None = None

    def add(self, event: Event) -> tuple[float, ...] | None:
        """Add an event; return the confidences of its tokens, or None if it has no token."""
        self._usage = self._usage.joined(event.usage or ReportedUsage())
        self.prompt_ids = self.prompt_ids or event.prompt_token_ids
        if not event.choices:
            return None
        [piece] = event.choices
        self.prompt_ids = self.prompt_ids or piece.prompt_token_ids
        self.sample.add(piece)
        if not piece.written and not piece.thinking and not piece.token_ids:
            return None
        self.pieces += 1
        return confidences(logprobs(piece.likeliest))

    @property
    def unfinished(self) -> bool:
        """True until the server gives the reason of the sample's end."""
        return self.sample.last.finish_reason is None

    @property
    def usage(self) -> ReportedUsage:
        """The usage so far; for an unfinished sample, at least the tokens that arrived."""
        arrived = ReportedUsage(completion_tokens=self.pieces if self.unfinished else None)
        return self._usage.joined(arrived)
