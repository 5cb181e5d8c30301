"""The command line, ``pyrepl-stream SUBCOMMAND``: each subcommand is a module of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ("main",)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code. Raises :class:`SystemExit` for usage errors and help.

    For a process that does nothing else: it takes over its signals and its orphans.
    """
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # before the subcommand had handlers of its own
        return 130


def _main(words: list[str]) -> int:
    # Here, so that an interrupt while modules are loaded is no traceback either.
    from . import exec_, replay, run, sessions
    from .parser import Parser

    subcommands = (run, exec_, sessions, replay)  # each adds parsers, with `parser` and `main` as defaults
    # Taken apart here, as releases of argparse disagree about `--` behind a subcommand.
    dashes = words.index("--") if "--" in words else len(words)
    parser = Parser(prog="pyrepl-stream", description="Run a command. Watch it live. Lose nothing.")
    subparsers = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
    for module in subcommands:
        module.add_to(subparsers)
    arguments, unknown = parser.parse_known_args(words[:dashes])
    if unknown:
        arguments.parser.refuse(unknown[0])
    arguments.command = words[dashes + 1 :]
    return int(arguments.main(arguments))
