"""An argument parser with one-line errors that suggest the nearest option, and types of option values."""

from __future__ import annotations

import argparse
import contextlib
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from ..config.argument_types import parse_seconds
from ..runtime.errors import UsageError
from ..runtime.process.command import check_size
from ..runtime.process.idle import KINDS
from ..runtime.process.termination import Grace, check_grace
from ..runtime.validation import suggest


class Parser(argparse.ArgumentParser):
    """The parser of the program and of each subcommand. If ``takes_command``, a command follows ``--``."""

    takes_command = False

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]  # passed on unchanged

    def error(self, message: str) -> NoReturn:
        """Write one line to stderr and exit with code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def reject(self, word: str) -> NoReturn:
        """Exit with code 2 because of an unknown argument."""
        if not word.startswith("-") and not self.takes_command:
            self.error(f"unexpected argument {word!r}")
        if not word.startswith("-"):
            self.error(f"the command must follow `--`: {self.prog} [options] -- {word} ...")
        name = word.partition("=")[0]
        self.error(f"unknown option {name}; {suggest(name, self._option_string_actions)}")

    def add_seconds(self, option: str, meaning: str, **options: Any) -> None:
        """Add an option with a number of seconds."""
        self.add_argument(option, type=parse_seconds, metavar="SECONDS", help=meaning, **options)

    def add_list(self, option: str, metavar: str, meaning: str, **options: Any) -> None:
        """Add an option that may be repeated."""
        text = f"{meaning}; may be repeated"
        self.add_argument(option, action="append", default=[], metavar=metavar, help=text, **options)


def add_command(
    subparsers: Any,
    name: str,
    main: Callable[[argparse.Namespace], int],
    usage: str,
    summary: str,
    description: str,
    epilog: str,
) -> Parser:
    """Add and return the parser of a subcommand that takes a command after ``--``."""
    parser: Parser = subparsers.add_parser(
        name,
        usage=f"%(prog)s [options] {usage}",
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.takes_command = True
    parser.set_defaults(parser=parser, main=main)
    return parser


def parse_factor(text: str) -> float:
    """Return ``text`` as a number from 0.001 to 1,000,000."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.001 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.001 to 1000000, such as 2")
    return value


def parse_size(text: str) -> tuple[int, int]:
    """Return ``ROWSxCOLUMNS`` as two numbers."""
    if match := re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", text):
        size = int(match[1]), int(match[2])
        with contextlib.suppress(UsageError):
            check_size(size)
            return size
    raise argparse.ArgumentTypeError(f"{text!r} is not ROWSxCOLUMNS, such as 40x120")


def parse_activity(text: str) -> list[str]:
    """Return the kinds of activity in a comma-separated list."""
    kinds = text.split(",")
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"unknown kind of activity {kind!r}; {suggest(kind, KINDS)}")
    return kinds


def parse_grace(text: str) -> Grace:
    """Return the three times, in seconds, in a comma-separated list."""
    try:
        first, second, third = map(float, text.split(","))
        check_grace((first, second, third))
    except ValueError:  # includes UsageError
        message = f"{text!r} is not three times in seconds, such as 2,2,1"
        raise argparse.ArgumentTypeError(message) from None
    return first, second, third
