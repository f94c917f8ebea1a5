"""Grading by exact match, ignoring layout."""

import re

_LAYOUT = (
    (r"\\(?:left|right|displaystyle|[Bb]igg?[lr]?)(?![a-zA-Z])", ""),
    (r"\\[!,;: ]|~", " "),
    (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
    (r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\s*\{([^{}]*)\}", r"\1"),
    (r"\^\s*\{\s*\\circ\s*\}", r"^\\circ"),
    (r"\{,\}", ","),
    (r"\\([$%])", r"\1"),
    ("\N{MINUS SIGN}", "-"),
    (r"\s+", " "),
    # A space separates words, and the whole number of `1 1/2` from its fraction; any other is layout.
    (r"(?<!\w) | (?!\w)", ""),
)
_QUOTES = re.compile(r"^(?:\${1,2}|\\\(|\\\[|\*\*)(.*?)(?:\${1,2}|\\\)|\\\]|\*\*)$", re.DOTALL)


def exact(answer: str, reference: str) -> bool:
    """Return whether both are spelled alike, ignoring LaTeX layout, spaces and a full stop."""
    return plain(answer) == plain(reference) != ""


def plain(text: str) -> str:
    """Return `text` without its layout: `\\text{4:30 p.m.}` and `$4:30\\text{ p.m.}$` become one."""
    text = _QUOTES.sub(r"\1", text.strip().rstrip("."))
    for pattern, replacement in _LAYOUT:
        text = re.sub(pattern, replacement, text)
    return text.strip().rstrip(".")
