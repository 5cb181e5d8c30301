"""Recognizes the error message of a tool that rejects a flag as unknown."""

from __future__ import annotations

from collections.abc import Iterable

import regex

__all__ = ("rejected_flag",)

# A whole line must look like the error of an argument parser, so that text about a flag does not match.
# All quantifiers are possessive or bounded, so that the time is linear for any output. `re` matches
# possessive quantifiers wrongly before CPython 3.11.5.
_ANSI = regex.compile(r"\x1b(?:\[[0-9;:?]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\))")
_FLAG = r"""(?:['"`‘“]-{0,2}\w[\w.-]*+(?:=[^'"`’”]*+)?['"`’”]|-{0,2}\w[\w.-]*+(?:=[^\s,]*+)?)"""
_KIND = "(?:option|argument|flag|switch|parameter)(?:e?s)?"
_AFTERWARDS = "found|which[ ]wasn.t[ ]expected|did[ ]you[ ]mean|possible[ ]options|to[ ]specify|see|try|run"
_REJECTION = regex.compile(
    rf"""
    (?:\d[\d/:.TZ+-]*+[ ]){{0,2}}+            # date and time
    (?:[\w./\\+@-]++:[ ])?                    # the program
    (?:(?:\w{{1,30}}[ ])?\w{{0,30}}error(?:[ ]\[\w++\])?:[ ]|incorrect[ ]usage:[ ])?
    (?:
        (?:
            # These print the flag without its dashes: git, yargs, getopt of musl.
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
        # Some add a hint.
        [.,;]?\s*+(?:\(?(?:{_AFTERWARDS})\b.*)?
        |unknown[ ]shorthand[ ]flag:[ ]'.'[ ]in[ ](?P<cluster>-\S++)
        |(?:invalid|illegal|unknown)[ ]option[ ]--[ ]'?(?P<letter>\w)'?
        |(?:option[ ])?(?P<before>{_FLAG}):[ ](?:is[ ]unknown|(?:invalid|unknown|unrecognized)[ ]option)
    )
    # argparse prints everything that it did not understand.
    |(?:.{{0,200}}?:[ ])?error:[ ]unrecognized[ ]arguments:[ ](?P<words>-.*)
    """,
    regex.IGNORECASE | regex.VERBOSE,
)


def rejected_flag(output: str, flags: Iterable[str]) -> str | None:
    """Return the flag that a tool rejects as unknown, or None.

    The messages of commander, yargs, Node, argparse, click, clap, cobra, Go, getopt, git and curl are
    recognized, in English. The tool may also have printed the message of another program, so use this
    only after a failure.

    Args:
        output: The tool's output.
        flags: The flags that the tool was given, which may end in ``=value``.

    Returns:
        The first of ``flags`` that ``output`` rejects.
    """
    named: dict[str, str] = {}
    bare: dict[str, str] = {}
    for flag in flags:
        name = flag.partition("=")[0]
        named.setdefault(name, flag)
        bare.setdefault(name.lstrip("-"), flag)
    for name, flag in list(named.items()):
        named.setdefault(name.replace("--", "-", 1), flag)  # Go prints -x for --x
    for line in _ANSI.sub("", output).splitlines():
        match = _REJECTION.fullmatch(line.strip(" \t│›"))
        for word in _rejected_words(match) if match else ():
            if word in named:
                return named[word]
            if match and match["bare"] and word in bare:
                return bare[word]
    return None


def _rejected_words(match: regex.Match[str]) -> list[str]:
    if match["letter"]:
        return ["-" + match["letter"]]
    words = match["cluster"] or match["before"] or match["words"]
    listed = words.split() if words else match["flags"].split(", ")
    return [word.strip("'\"`‘’“”").partition("=")[0].rstrip(".") for word in listed]
