"""``pyrepl-stream replay FILE``: plays a recording, or messages of ``run --json``, with their timing."""

from __future__ import annotations

import argparse
import math
import os
import time
from typing import Any

from ..config.argument_types import parse_seconds
from ..runtime.messages import StreamType
from .console import BROKEN_PIPE, ERRORS, OUTPUT, Console, open_input
from .parser import parse_factor
from .recording import BadRecordingError, Recording

_CANNOT_BE_PLAYED = 1
_INTERRUPTED = 130
_RESET = b"\x1b[0m\x1b[?25h\r\n"  # colours off, cursor on: an incomplete recording may leave them changed


def add_to(subparsers: Any) -> None:
    """Add the parser of this subcommand."""
    parser = subparsers.add_parser(
        "replay",
        help="play a recording",
        description="Play FILE in this terminal: an asciicast (version 2 or 3), such as `run --record` "
        "writes, or the messages of `run --json`. `-` is standard input.",
        epilog="exit code: 0; 1: FILE cannot be read or played; 2: wrong options; 130: interrupted",
    )
    parser.set_defaults(parser=parser, main=main)
    add = parser.add_argument
    add("file", metavar="FILE")
    add("--speed", type=parse_factor, default=1.0, metavar="N", help="play N times as fast (default: 1)")
    add("--idle-limit", type=parse_seconds, metavar="S", help="shorten pauses to S seconds")


def main(arguments: argparse.Namespace) -> int:
    """Play the file and return the exit code."""
    console = Console()
    if arguments.command:
        arguments.parser.error("replay takes a FILE, not a command")
    try:
        with open_input(arguments.file) as file:
            recording = Recording(file)
            _play(recording, console, arguments.speed, arguments.idle_limit or recording.idle_limit)
    except BadRecordingError as exc:
        console.report(f"{arguments.file}: {exc}")
        return _CANNOT_BE_PLAYED
    except BrokenPipeError:
        return BROKEN_PIPE
    except OSError as exc:
        console.report(f"{arguments.file} cannot be read: {exc.strerror}")
        return _CANNOT_BE_PLAYED
    except KeyboardInterrupt:
        if os.isatty(OUTPUT):
            console.write(OUTPUT, _RESET)
        return _INTERRUPTED
    return 0


def _play(recording: Recording, console: Console, speed: float, idle_limit: float | None) -> None:
    limit = math.inf if idle_limit is None else idle_limit
    due = time.monotonic()
    before = 0.0
    for moment, stream, data in recording:
        due += min(moment - before, limit) / speed
        before = moment
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, 3600.0))
        console.write(ERRORS if stream is StreamType.STDERR else OUTPUT, data)
