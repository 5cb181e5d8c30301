"""``pyrepl-stream replay FILE``: play a recording, or the messages of ``run --json``, as it happened."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from typing import IO, Any

from ..messages import StreamType
from . import parser as parsing
from .console import ERRORS, OUTPUT, Console
from .recording import BadRecordingError, Recording

__all__ = ("add_to", "main")

_CANNOT_BE_PLAYED = 1
_NOBODY_READS = 128 + 13
_INTERRUPTED = 130
_AS_BEFORE = b"\x1b[0m\x1b[?25h\r\n"  # colours off, cursor on: whatever was cut off had changed


def add_to(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="play a recording",
        description="Play FILE in this terminal: an asciicast (version 2 or 3), as of `run --record`, or "
        "messages, as of `run --json`. `-` is standard input.",
        epilog="exit code: 0; 1: FILE cannot be read or played; 130: interrupted; 2: wrong options",
    )
    parser.set_defaults(parser=parser, main=main)
    add = parser.add_argument
    add("file", metavar="FILE")
    add("--speed", type=parsing.factor, default=1.0, metavar="N", help="N times as fast (default: 1)")
    add("--idle-limit", type=parsing.seconds, metavar="S", help="wait for no output longer than S seconds")


def main(arguments: argparse.Namespace) -> int:
    console = Console()
    if arguments.command:
        arguments.parser.error("it takes a FILE and no command")
    try:
        with _opened(arguments.file) as file:
            recording = Recording(file)
            _play(recording, console, arguments.speed, arguments.idle_limit or recording.idle_limit)
    except BadRecordingError as exc:
        console.say(f"{arguments.file}: {exc}")
        return _CANNOT_BE_PLAYED
    except BrokenPipeError:
        return _NOBODY_READS
    except OSError as exc:
        console.say(f"{arguments.file} cannot be read: {exc.strerror}")
        return _CANNOT_BE_PLAYED
    except KeyboardInterrupt:
        if os.isatty(OUTPUT):
            console.write(OUTPUT, _AS_BEFORE)
        return _INTERRUPTED
    return 0


def _opened(name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    return contextlib.nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb")


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
