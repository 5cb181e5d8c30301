r"""The bar of older npm versions (recorded with 8), and the spinner of newer ones (recorded with 11).

The bar is drawn by the package ``gauge`` (``themes.js``), in Braille where the terminal supports it. The text
after the first colon is the newest line of the log, cut off at the width of the terminal::

    (#########⠂⠂⠂⠂⠂⠂⠂⠂⠂) ⠸ reify:left-pad: timing reify:loadBundles Completed in 0ms
    [##################] \ fetchMetadata: sill resolveWithNewModule left-pad@1.3.0

Newer versions (``lib/utils/display.js``) show one spinning Braille character, without a percentage.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = re.compile(
    rf"(?:\[(?P<ascii>#{{0,40}}\.{{0,40}})\]|\((?P<braille>#{{0,40}}⠂{{0,40}})\))"
    rf" [-\\|/{_SPINNER}] (?P<section>[^\s:](?:[^\s]{{0,200}}[^\s:])?): (?:.{{0,400}})"
)


def _parse(line: str) -> Bar | None:
    if len(line) == 1 and line in _SPINNER:
        return Bar()
    found = _BAR.fullmatch(line)
    if found is None:
        return None
    drawn = found["ascii"] or found["braille"] or ""
    if len(drawn) < 10:
        return None
    return Bar(description=found["section"], percentage=100.0 * drawn.count("#") / len(drawn))


_HINT = rf"[\]){_SPINNER}](?:(?<=[#.⠂][\])]) [-\\|/{_SPINNER}] |(?<=^[{_SPINNER}])$)"
LIBRARY = BarFormat("npm", _parse, hint=_HINT)
