from __future__ import annotations

import re
from collections import Counter

from jupyter_ext.area.module import STATIC, module

DEFINED = re.compile(
    r"^(?:export )?(?:async )?(?:const|let|function|class) (?:\{[^}]*\}|(\w+))", re.MULTILINE
)


def test_the_module_contains_all_others_and_imports_nothing() -> None:
    text = module()
    files = [path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")]
    defined = Counter(name for file in files for name in DEFINED.findall(file))
    assert set(defined.values()) == {1}  # all share one top level
    assert Counter(DEFINED.findall(text)) == defined
    assert re.findall(r"^(?:import|export).*", text, re.MULTILINE) == ["export default () => {"]
