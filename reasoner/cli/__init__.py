"""The command line: solve, bench, plot, compare, import-pool, rerank, and so on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from reasoner.errors import ReasonerError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    The code is 2 for bad input, 130 after Ctrl-C, and 70 for a bug of this program.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:  # A program of its own: SIGTERM ends it as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    _encode_anything()
    try:
        return _run(arguments)
    except SystemExit as e:  # Raised by argparse.
        return e.code if isinstance(e.code, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as e:
        return _failed(e, arguments)


def _run(arguments: Sequence[str]) -> int:
    from reasoner.cli.commands import parser
    from reasoner.cli.parser import refuse_unreadable

    if not arguments:
        from reasoner.cli.overview import show_overview

        return show_overview()
    for word in arguments:
        refuse_unreadable(word)
    args = parser().parse_args(arguments)
    code: int = args.command.run(args, arguments)
    sys.stdout.flush()
    return code


def _failed(error: BaseException, arguments: Sequence[str]) -> int:
    """Print an error in one line and return the exit code."""
    from reasoner.cli.failure import foreseen, unforeseen
    from reasoner.cli.interrupt import MESSAGE, kill_children
    from reasoner.terminal import complain

    match error:
        case KeyboardInterrupt():
            kill_children()
            print(MESSAGE, file=sys.stderr)
            return 130
        case ReasonerError():
            complain(str(error))
            return 2
        case Exception():
            return foreseen(error) or unforeseen(error, arguments)
        case _:
            raise error


def _encode_anything() -> None:
    """Have standard output and error write escapes for what their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
