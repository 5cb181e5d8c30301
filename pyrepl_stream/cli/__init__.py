"""The command line, ``pyrepl-stream SUBCOMMAND``; related subcommands share a module."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("main",)

_SESSIONS = ("ls", "attach", "wait", "logs", "interrupt", "kill", "close")
_MODULES = {"run": "run", "exec": "exec_", **dict.fromkeys(_SESSIONS, "sessions"), "replay": "replay"}
"""The module of each subcommand. It adds a parser, whose defaults set ``parser`` and ``main``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Only for a process that does nothing else: its signals are handled here, and it adopts orphans.

    Args:
        argv: The arguments, by default those of this process.

    Returns:
        The exit code.

    Raises:
        SystemExit: The arguments are not valid, or ask for help; or a signal ended the command.
    """
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # before the subcommand has installed its handlers
        return 130


def _main(arguments: list[str]) -> int:
    # Imported here, so that an interrupt while modules are imported shows no traceback either.
    from ..runtime.version import __version__
    from .parser import Parser

    modules = [_MODULES[arguments[0]]] if arguments and arguments[0] in _MODULES else _MODULES.values()
    # Split here, because releases of argparse disagree about `--` after a subcommand.
    dashes = arguments.index("--") if "--" in arguments else len(arguments)
    parser = Parser(
        prog="pyrepl-stream", description="Run code and commands anywhere. Watch them live. Lose nothing."
    )
    parser.add_argument("--version", action="version", version=f"pyrepl-stream {__version__}")
    subparsers = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
    for module in dict.fromkeys(modules):
        import_module(f".{module}", __name__).add_to(subparsers)
    options, unknown = parser.parse_known_args(arguments[:dashes])
    if unknown:
        options.parser.reject(unknown[0])
    options.command = arguments[dashes + 1 :]
    return int(options.main(options))
