"""Parsing words: errors of one line, with the nearest option, and what the values of options may be."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Iterable
from typing import NoReturn

from ..errors import UsageError
from ..process.activity import KINDS
from ..process.command import check_size
from ..process.ending import Grace, check_grace

__all__ = ("Parser", "did_you_mean", "seconds", "factor", "size", "variable", "kinds", "grace")


class Parser(argparse.ArgumentParser):
    takes_command = False

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]  # argparse's own, as they are

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def refuse(self, word: str) -> NoReturn:
        """End with a word that is no option."""
        if not word.startswith("-") and not self.takes_command:
            self.error(f"{word!r} is too much")
        if not word.startswith("-"):
            self.error(f"the command goes behind `--`: {self.prog} [options] -- {word} ...")
        name = word.partition("=")[0]
        self.error(f"there is no option {name}{did_you_mean(name, self._option_string_actions)}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.001 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0.001 to 1000000, such as 2")
    return value


def size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", text)
    value = (int(match[1]), int(match[2])) if match else None
    try:
        check_size(value)
    except UsageError:
        value = None
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROWSxCOLUMNS, such as 40x120")
    return value


def variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def kinds(text: str) -> list[str]:
    words = text.split(",")
    for word in words:
        if word not in KINDS:
            hint = did_you_mean(word, KINDS)
            raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(KINDS)}{hint}")
    return words


def grace(text: str) -> Grace:
    try:
        first, second, third = map(float, text.split(","))
        check_grace((first, second, third))
    except ValueError:  # a UsageError is one
        what = f"{text!r} is not three times in seconds, such as 2,2,1"
        raise argparse.ArgumentTypeError(what) from None
    return first, second, third
