"""Extraction of the answer that a solution states."""

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

_BOX = r"\\(?:boxed|framebox|fbox)"
_BRACE = re.compile(rf"(?P<box>{_BOX}\s*\{{)|{_BOX}\s+(?P<bare>\w)|\\.|[{{}}]", re.DOTALL)
_HASHES = re.compile(r"####[ \t]*(\S.*)")
_SENTENCE = re.compile(r"answer(?:\*\*)?(?:\s+is\b|\s*:)(?:\*\*)?\s*:?\s*", re.IGNORECASE)
_LABEL = re.compile(r"(?:\*\*)?A(?:\*\*)?:(?:\*\*)?[ \t]*(\S.*)")
_END = re.compile(r"\.(?:\s|$)|\n")


def extract(solution: str) -> str | None:
    """Return the answer that a finished solution states, or None.

    Tried in this order: the last `\\boxed{…}` (or `\\framebox`, `\\fbox`), the last `#### …`, the text
    after the last "the answer is …" or "Answer: …" up to the end of its sentence or line, and a last
    line `A: …`. A number that is merely the last one in the text is no answer.
    """
    return stated(solution) or _label(solution)


def stated(solution: str) -> str | None:
    """Return the answer as `extract` does, except from a line `A: …`, which may be one of several options."""
    return _last(boxes(solution)) or _last(_hashes(solution)) or _last(_sentences(solution))


def boxes(solution: str) -> list[str]:
    """Return the contents of complete boxes, in the order in which they open."""
    opened = list[re.Match[str]]()
    boxed = dict[int, str]()
    for brace in _BRACE.finditer(solution):
        if brace["bare"]:
            boxed[brace.start()] = brace["bare"]
        elif brace["box"] or brace[0] == "{":
            opened.append(brace)
        elif brace[0] == "}" and opened:
            start = opened.pop()
            if start["box"]:
                boxed[start.start()] = solution[start.end() : brace.start()].strip()
    return [boxed[start] for start in sorted(boxed)]


def _hashes(solution: str) -> Iterator[str]:
    return (line[1].strip() for line in _HASHES.finditer(solution))


def _sentences(solution: str) -> Iterator[str]:
    """Yield the text after each "the answer is", up to the next one or the end of the sentence or line."""
    matches = [*_SENTENCE.finditer(solution)]
    for match, following in zip_longest(matches, matches[1:]):
        text = solution[match.end() : following.start() if following else None]
        yield _END.split(text, maxsplit=1)[0].strip(" *")


def _label(solution: str) -> str | None:
    match = _LABEL.fullmatch(solution.strip().rpartition("\n")[2].strip())
    return _END.split(match[1], maxsplit=1)[0].strip(" *") if match else None


def _last(texts: Iterable[str]) -> str | None:
    """Return the last text that is not empty."""
    return next((text for text in reversed([*texts]) if text), None)
