"""Logs of inspect_ai as a pool: `.eval`, a zip archive with a JSON file per sample, or one `.json`.

Each epoch of a sample is a solution of its problem.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar
from zipfile import BadZipFile, ZipFile

from pydantic import Field

from reasoner.benchmarks.store.pool_file import Recorded, Written, spelled
from reasoner.benchmarks.store.records import Count
from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError
from reasoner.files import DOCUMENT, opened, read_bytes, shown, size
from reasoner.printable import Text
from reasoner.schema import Frozen
from reasoner.types import Finish

PACKED = b"PK\x03\x04"
END = b"PK\x05\x06"
"""The record at the end of an archive, which has the size of its directory."""
DIRECTORY = 32 * 2**20
"""The most bytes of an archive's directory; each entry takes some hundred bytes of memory."""
UNPACKED = 2**30
"""The most bytes that the samples of an archive unpack to."""
GRADES = {"C": True, "I": False, "P": False, "N": False}
"""Inspect's grades: correct, incorrect, partially correct, and no answer."""
CUT = ("max_tokens", "model_length")
ATTACHED = "attachment://"
M = TypeVar("M", bound=Frozen)


class MessagePart(Frozen, extra="ignore"):
    """A part of a message: text, reasoning, or something else, which is left out."""

    text: Text = ""
    reasoning: Text = ""


class LoggedMessage(Frozen, extra="ignore"):
    """A message of a conversation."""

    role: str = "assistant"
    content: Text | list[MessagePart] = ""

    def read(self, attached: Mapping[str, str]) -> str:
        """Return the text, its reasoning between think tags."""
        if isinstance(self.content, str):
            return resolved(self.content, attached)
        return "".join(
            f"<think>\n{resolved(p.reasoning, attached)}\n</think>\n\n"
            if p.reasoning
            else resolved(p.text, attached)
            for p in self.content
        )


class LoggedChoice(Frozen, extra="ignore"):
    """A completion."""

    message: LoggedMessage
    stop_reason: str = "unknown"


class TokenUsage(Frozen, extra="ignore"):
    """The tokens of a completion."""

    output_tokens: Count | None = None


class LoggedOutput(Frozen, extra="ignore"):
    """The model's last reply; it has no choices where the sample failed."""

    choices: tuple[LoggedChoice, ...] = ()
    usage: TokenUsage | None = None


class Rated(Frozen, extra="ignore"):
    """The score of one scorer."""

    value: Any = None


class LoggedSample(Frozen, extra="ignore"):
    """One epoch of a sample."""

    id: int | str
    epoch: int = 1
    input: Text | list[LoggedMessage]
    target: Text | list[Text] = ""
    choices: list[Text] | None = None
    output: LoggedOutput = LoggedOutput()
    scores: dict[str, Rated] | None = None
    attachments: dict[str, Text] = Field(default_factory=dict[str, Text])

    @property
    def question(self) -> str:
        """The input: of a conversation, its user's messages; with the options, if it has some."""
        turns = [LoggedMessage(content=self.input)] if isinstance(self.input, str) else self.input
        users = [t for t in turns if t.role == "user"] or turns
        text = "\n\n".join(t.read(self.attachments) for t in users)
        options = (f"\n{chr(65 + i)}) {choice}" for i, choice in enumerate(self.choices or ()))
        return text + "".join(options)

    @property
    def answer(self) -> str:
        """The target; of several, the first."""
        target = self.target if isinstance(self.target, str) else next(iter(self.target), "")
        return resolved(target, self.attachments)

    def written(self, score: str) -> Written:
        """Return the solution; one of a failed sample is empty and cut off."""
        choice = self.output.choices[0] if self.output.choices else None
        cut = choice is None or choice.stop_reason in CUT
        return Written(
            text=choice.message.read(self.attachments) if choice else "",
            tokens=self.output.usage.output_tokens if self.output.usage else None,
            finish_reason=Finish.LENGTH if cut else None,
            correct=grade(self.scores or {}, score),
        )


class Log(Frozen, extra="ignore"):
    """A log in one JSON file."""

    samples: list[LoggedSample] = Field(min_length=1)


def read_inspect(path: Path, score: str = "") -> list[Recorded]:
    """Return the problems of a log, in the order of their first epochs.

    `score` names a scorer; without one, the first counts.

    Raises:
        ConfigError: the file is no such log, or has a sample twice.
        StoreError: the file cannot be read, or is too large.
    """
    problems = dict[str, dict[int, LoggedSample]]()
    for sample in _samples(path):
        epochs = problems.setdefault(spelled(sample.id), {})
        if sample.epoch in epochs:
            raise ConfigError(
                f"{shown(path)} has epoch {sample.epoch} of sample {sample.id!r:.40} twice"
            )
        epochs[sample.epoch] = sample
    return [_recorded(name, epochs, score) for name, epochs in problems.items()]


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip archive."""
    with opened(path) as file:
        return file.read(len(PACKED)) == PACKED


def is_inspect(row: Mapping[str, Any]) -> bool:
    """Return whether a JSON document is such a log."""
    return {"eval", "samples"} <= row.keys()


def resolved(text: str, attached: Mapping[str, str]) -> str:
    """Return a text, or the attachment that it stands for: a log stores long texts once."""
    return attached.get(text.removeprefix(ATTACHED), text) if text.startswith(ATTACHED) else text


def grade(scores: Mapping[str, Rated], score: str) -> bool | None:
    """Return whether a scorer's value counts as right; None where it has none, or one of another kind."""
    name = score or next(iter(scores), "")
    value = scores[name].value if name in scores else None
    if isinstance(value, str):
        return GRADES.get(value)
    return value >= 1 if isinstance(value, bool | int | float) else None


def _recorded(name: str, epochs: Mapping[int, LoggedSample], score: str) -> Recorded:
    first = next(iter(epochs.values()))
    return Recorded(
        id=name,
        question=first.question,
        answer=first.answer,
        completions=tuple(epochs[epoch].written(score) for epoch in sorted(epochs)),
    )


def _samples(path: Path) -> Iterator[LoggedSample]:
    if not is_archive(path):
        hint = "convert it with `inspect log convert --to eval`"
        yield from _parsed(path, path.name, read_bytes(path, hint=hint), Log).samples
        return
    total = 0
    with _archive(path) as archive:
        members = [n for n in archive.namelist() if n.startswith("samples/")]
        for name in members:
            with archive.open(name) as member:
                blob = member.read(DOCUMENT + 1)
            total += len(blob)
            if len(blob) > DOCUMENT or total > UNPACKED:
                raise ConfigError(
                    f"{shown(path)} unpacks to more than {size(DOCUMENT)} a sample or {size(UNPACKED)}"
                    " in all; split it"
                )
            yield _parsed(path, name, blob, LoggedSample)
    if not members:
        raise ConfigError(f"{shown(path)} is an archive without samples/, so no log of inspect")


@contextmanager
def _archive(path: Path) -> Iterator[ZipFile]:
    """Open an archive of bounded size; its errors become one line."""
    with opened(path) as file:
        _bound_directory(path, file)
        try:
            with ZipFile(file) as archive:
                yield archive
        except NotImplementedError as e:
            raise ConfigError(
                f"{shown(path)} is compressed in a way that Python cannot read ({e}); convert it with"
                " `inspect log convert --to json`"
            ) from e
        except (BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError) as e:
            raise ConfigError(f"{shown(path)} is a damaged or encrypted archive ({e})") from e


def _bound_directory(path: Path, file: IO[bytes]) -> None:
    tail = file.seek(0, 2)
    file.seek(max(0, tail - 2**16 - 22))
    record = file.read().rpartition(END)[2]
    if len(record) < 12 or struct.unpack_from("<L", record, 8)[0] > DIRECTORY:
        raise ConfigError(
            f"{shown(path)} is a damaged archive, or its directory is larger than {size(DIRECTORY)}"
        )
    file.seek(0)


def _parsed(path: Path, name: str, blob: bytes, kind: type[M]) -> M:
    try:
        return parse_model(kind, blob)
    except Malformed as e:
        raise ConfigError(f"{shown(path)}: {shown(name)} is no log of inspect ({e})") from e
