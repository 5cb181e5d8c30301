"""Progress of docker: layers that are pulled or pushed, builds, and Compose.

Layers of ``docker pull`` and ``push`` (``jsonmessage.go``; the bar is shown if the terminal is wider than
110 columns). Units are powers of 1000 (go-units). One layer goes through several states, so its id is the
description::

    d044f5c2f80d: Downloading [======>              ]     55kB/400.3kB
    d044f5c2f80d: Pull complete

Steps and layers of a build on a terminal (BuildKit's ``progressui``), and of Compose (``tty.go``)::

    [+] Building 1.2s (3/7)
     => => sha256:9c0abc 1.05MB / 29.13MB                      0.5s
    [+] Running 2/3
     ⠋ 9c0abc32d4e6 Downloading [=====>     ]  12.3MB/45.6MB   0.5s
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import duration, percentage, size

_ID = r"[0-9a-f]{12}"
_FINAL = r"Pull complete|Already exists|Pushed|Layer already exists|Mounted from [^\s]{1,255}"
_PLAIN = (
    r"Pulling fs layer|Waiting|Verifying Checksum|Download complete|Preparing|Retrying in [0-9]{1,4} seconds?"
)
_MOVING = r"Downloading|Extracting|Pushing"
_SIZE = r"[0-9]{1,15}(?:\.[0-9]{1,15})?[kMGTPEZY]?B"
_LEFT = r"(?:[0-9]{1,6}h)?(?:[0-9]{1,2}m)?[0-9]{1,2}s"
_COUNT = r"(?P<count>[0-9]{1,15})(?:/(?P<of>[0-9]{1,15}))? (?P<unit>[a-z]{1,20})"
_AMOUNT = rf"(?:(?P<current>{_SIZE})(?:/(?P<total>{_SIZE}))?|{_COUNT})"
_BOX = r"(?:\[={0,60}>? {0,60}\] +)?"
_LAYER = re.compile(
    rf"(?P<id>{_ID}): (?:(?P<final>{_FINAL})|{_PLAIN}|{_MOVING}"
    rf"|(?:{_MOVING}) +{_BOX}{_AMOUNT}(?: (?P<left>{_LEFT}))?)"
)
_SECONDS = r"(?P<elapsed>[0-9]{1,9}(?:\.[0-9]{1,3})?s)"
_BUILD_LAYER = re.compile(
    rf" => => (?:# )?(?P<id>sha256:[0-9a-f]{{6,64}}) +(?P<current>{_SIZE}) / (?P<total>{_SIZE}) +{_SECONDS}"
)
_SUMMARY = re.compile(
    r"\[\+\] (?P<id>Building|Running|Pulling|Pushing|Creating|Stopping|up|down|pull|build)"
    rf"(?: {_SECONDS})? \(?(?P<count>[0-9]{{1,6}})/(?P<of>[0-9]{{1,6}})\)?(?P<final> FINISHED)?"
    r"(?: +[a-z]{1,20}:[^\s]{1,60})?"
)
_COMPOSE_LAYER = re.compile(
    rf" {{1,9}}[⠀-⣿✔] (?P<id>[^\s]{{1,200}}) (?:(?P<final>{_FINAL}|Pulled)"
    rf"|(?:{_MOVING}) +{_BOX}{_AMOUNT}) +{_SECONDS}"
)


def _parse(line: str) -> Bar | None:
    found = _LAYER.fullmatch(line) or _BUILD_LAYER.fullmatch(line)
    found = found or _SUMMARY.fullmatch(line) or _COMPOSE_LAYER.fullmatch(line)
    return _bar(found.groupdict()) if found else None


def _bar(found: dict[str, str | None]) -> Bar:
    unit = found.get("unit") or ""
    count, of = found.get("count"), found.get("of")
    current, total = found.get("current"), found.get("total")
    elapsed = duration(found.get("elapsed"))
    if current:
        position, end, unit = size(current), size(total) if total else None, "B"
    elif unit == "s":  # the time that containerd has spent extracting
        position, end, unit, elapsed = None, None, "", float(count or 0)
    else:
        position, end = float(count) if count else None, float(of) if of else None
    share, remaining = percentage(position, end), duration(found.get("left"))
    finished = found.get("final") is not None
    return Bar(found["id"] or "", position, end, unit, share, None, elapsed, remaining, finished)


_INDENTED = "|".join(f"(?<=^{' ' * count}[⠀-⣿✔])" for count in range(1, 10))
_HINT = rf"[:=\[⠀-⣿✔](?:(?<=[0-9a-f]{{12}}:) [A-Z]|(?<==)> sha256:|(?<=^\[)\+\] |(?:{_INDENTED}) )"
LIBRARY = BarFormat("docker", _parse, hint=_HINT)
