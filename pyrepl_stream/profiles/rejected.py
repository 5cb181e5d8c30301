"""What a tool says about a flag that it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ("rejected_flag",)

# A whole line has to read as a parser's error, so that text about a flag is not taken for one. Quantifiers
# are possessive or bounded: the time is linear, whatever the tool prints.
_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\))")
_FLAG = r"""(?:['"`‘“]-{0,2}\w[\w.-]*+(?:=[^'"`’”]*+)?['"`’”]|-{0,2}\w[\w.-]*+(?:=[^\s,]*+)?)"""
_KIND = "(?:option|argument|flag|switch|parameter)(?:e?s)?"
_AFTERWARDS = "found|which[ ]wasn.t[ ]expected|did[ ]you[ ]mean|possible[ ]options|to[ ]specify|see|try|run"
_REJECTION = re.compile(
    rf"""
    (?:\d[\d/:.TZ+-]*+[ ]){{0,2}}+            # when
    (?:[\w./\\+@-]++:[ ])?                    # who
    (?:(?:\w{{1,30}}[ ])?\w{{0,30}}error(?:[ ]\[\w++\])?:[ ]|incorrect[ ]usage:[ ])?
    (?:
        (?:
            # These leave the dashes out: git, yargs, getopt of musl.
            (?P<bare>
                unknown[ ](?:(?:or[ ]unexpected|command[- ]line)[ ])?{_KIND}
                |unrecogni[sz]ed[ ]option(?=:)
            )
            |(?:unrecogni[sz]ed|unexpected|no[ ]such|nonexistent|unsupported|undefined)
                [ ](?:command[- ]line[ ])?{_KIND}
            |(?:invalid|bad|illegal)[ ](?:command[- ]line[ ])?(?:option|flag|switch)
            |flag[ ]provided[ ]but[ ]not[ ]defined
            |found[ ]argument
        )
        :?[ ](?P<flags>{_FLAG}(?:,[ ]{_FLAG})*+)
        # What some say after it.
        [.,;]?\s*+(?:\(?(?:{_AFTERWARDS})\b.*)?
        |unknown[ ]shorthand[ ]flag:[ ]'.'[ ]in[ ](?P<cluster>-\S++)
        |(?:invalid|illegal|unknown)[ ]option[ ]--[ ]'?(?P<letter>\w)'?
        |(?:option[ ])?(?P<before>{_FLAG}):[ ](?:is[ ]unknown|(?:invalid|unknown|unrecognized)[ ]option)
    )
    # Argparse shows all that it did not understand.
    |(?:.{{0,200}}?:[ ])?error:[ ]unrecognized[ ]arguments:[ ](?P<words>-.*)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def rejected_flag(output: str, flags: Iterable[str]) -> str | None:
    """The first of ``flags`` that an error text of a tool's parser says it does not know, else None.

    It knows what commander, yargs, Node, argparse, click, clap, cobra, Go, getopt, git and curl print, in
    English. It cannot tell whether the tool speaks of itself or shows what another one said: ask only
    after a failure.
    """
    named: dict[str, str] = {}
    bare: dict[str, str] = {}
    for flag in flags:
        name = flag.partition("=")[0]
        named.setdefault(name, flag)
        bare.setdefault(name.lstrip("-"), flag)
    for name, flag in list(named.items()):
        named.setdefault(name.replace("--", "-", 1), flag)  # Go says -x of --x
    for line in _ANSI.sub("", output).splitlines():
        match = _REJECTION.fullmatch(line.strip(" \t│›"))
        for word in _rejected_words(match) if match else ():
            if word in named:
                return named[word]
            if match and match["bare"] and word in bare:
                return bare[word]
    return None


def _rejected_words(match: re.Match[str]) -> list[str]:
    if match["letter"]:
        return ["-" + match["letter"]]
    words = match["cluster"] or match["before"] or match["words"]
    listed = words.split() if words else match["flags"].split(", ")
    return [word.strip("'\"`‘’“”").partition("=")[0].rstrip(".") for word in listed]
