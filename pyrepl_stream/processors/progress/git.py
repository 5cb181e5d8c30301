"""The progress lines of git (``progress.c``); lines from the remote side begin with ``remote:``.

Examples::

    Receiving objects:  39% (11/28), 252.00 KiB | 195.00 KiB/s
    Receiving objects: 100% (28/28), 352.03 KiB | 192.00 KiB/s, done.
    Resolving deltas: 100% (12/12), completed with 3 local objects.
    remote: Enumerating objects: 28, done.                             the total is not known
      39% (11/28)                                                      narrow terminals, since 2.24
    Rebasing (3/7)                                                     ``sequencer.c``

git counts objects, deltas or files, but shows the throughput in bytes, so ``rate`` is not set.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat

_SIZE = r"[0-9]{1,12}(?:[.,][0-9]{1,3})? (?:[KMGT]iB|[kKMGT]?B|bytes?)"
_END = rf"(?:, {_SIZE}(?: \| {_SIZE}/s)?)?(?P<done>, [a-z][^,|()%:]{{1,60}}\.)?"
_COUNT = r"(?P<percent>[0-9]{1,3})% \((?P<current>[0-9]{1,15})/(?P<total>[0-9]{1,15})\)"
_KNOWN = re.compile(rf"(?:(?P<title>[^\s:%][^:%]{{0,80}}(?:: [^:%]{{1,80}})?):| ) +{_COUNT}{_END}")
# A number without a total is accepted only after these words, not in text such as `Listening on port: 8080`,
# and only if it cannot be the start of a percentage.
_THING = r"(?:objects|deltas|files|commits|refs|references|connectivity|numbers)"
_TITLE = rf"(?:remote: )?[A-Z][a-z]{{1,20}}ing (?:[a-z-]{{1,20}} ){{0,6}}{_THING}(?: [a-z -]{{1,60}})?"
_PERCENT = r"(?:[0-9]{1,2}|100)"
_UNKNOWN = re.compile(rf"(?P<title>{_TITLE}): (?!{_PERCENT}$)(?P<current>[0-9]{{1,15}}){_END}")
_REBASE = re.compile(r"(?P<title>Rebasing|Applying) \((?P<current>[0-9]{1,9})/(?P<total>[0-9]{1,9})\)")
_UNITS = ("objects", "deltas", "files", "commits")


def _parse(line: str) -> Bar | None:
    found = _KNOWN.fullmatch(line) or _UNKNOWN.fullmatch(line) or _REBASE.fullmatch(line)
    if found is None:
        return None
    values = found.groupdict()
    title = values.get("title") or ""
    total = float(values["total"]) if values.get("total") else None
    current, percent = float(values["current"]), values.get("percent")
    share = 100.0 if total == 0 else None
    if total:
        share = 100.0 * current / total
    if share is not None and (share > 100 or (percent and abs(float(percent) - share) > 1)):
        return None
    unit = next((word for word in title.split() if word in _UNITS), "")
    return Bar(title, current, total, unit, share, finished=values.get("done") is not None)


LIBRARY = BarFormat("git", _parse, hint=r"% \([0-9]|ing [^:]{1,100}: +[0-9]|ing \([0-9]")
