"""The answer that a solution states."""

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
    """The answer that a finished solution states, or None.

    In this order: the last `\\boxed{…}` (or `\\framebox`, `\\fbox`), the last `#### …`, what the last
    "the answer is …" or "Answer: …" says up to the end of its sentence or line, and a last line
    `A: …`. A number that is merely the last one in the text is no answer.
    """
    return stated(solution) or _label(solution)


def stated(solution: str) -> str | None:
    """What `extract` finds, but for a line `A: …`, which may be one of the options to choose from."""
    return _last(boxes(solution)) or _last(_hashes(solution)) or _last(_sentences(solution))


def boxes(solution: str) -> list[str]:
    """What is boxed, in the order in which the boxes open; one that is cut off is none."""
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
    """What follows each "the answer is", up to the next one or the end of the sentence or line."""
    told = [*_SENTENCE.finditer(solution)]
    for found, following in zip_longest(told, told[1:]):
        text = solution[found.end() : following.start() if following else None]
        yield _END.split(text, maxsplit=1)[0].strip(" *")


def _label(solution: str) -> str | None:
    found = _LABEL.fullmatch(solution.strip().rpartition("\n")[2].strip())
    return _END.split(found[1], maxsplit=1)[0].strip(" *") if found else None


def _last(texts: Iterable[str]) -> str | None:
    """The last that says anything."""
    return next((text for text in reversed([*texts]) if text), None)
