from __future__ import annotations

import pytest

from pyrepl_stream.embedding import summary_line


@pytest.mark.parametrize(
    ("code", "head"),
    [
        ("print(1)\nprint(2)", "print(1)"),
        ("import time\nfor n in range(3):\n    time.sleep(1)\n", "for n in range(3):"),
        (
            "\n# what it does\nfrom __future__ import annotations\n\nfrom a import (  # all\n    b,\n    c,\n)\nrun(b, c)",
            "run(b, c)",
        ),
        ("from a.b import c, d\nimport e as f  # (why)\n  \nx = 1", "x = 1"),
        ("import time\nimport os", "import time"),
        ("important = 1", "important = 1"),
        ("%matplotlib inline\nimport time", "%matplotlib inline"),
        ("import time\n    indented", "indented"),
        ("from a import (b,\nc", "from a import (b,"),
        ("from a import b, \\\n  c\nrun()", "run()"),
        ("import a, \\\n b\nwork()", "work()"),
        ("import x\nimport time; time.sleep(100)", "import time; time.sleep(100)"),
        ("import os # (x\ny=1", "y=1"),
        ("from a import (b, # hi :)\n c)\nrun()", "run()"),
        ("\ufeffimport a\nx=1", "x=1"),
    ],
)
def test_the_summary_line_is_the_first_statement_that_is_not_an_import(code: str, head: str) -> None:
    assert summary_line(code) == head


def test_the_summary_line_of_long_code_is_found_quickly() -> None:
    """A pattern that backtracks would not end on these."""
    for code in (
        "import a\n" * 100_000,
        "from a import (\n" * 20_000,
        "import " * 100_000,
        "#(" * 100_000,
        "import (a#\n" * 9000,
    ):
        assert summary_line(code)
