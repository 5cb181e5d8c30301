"""A namespace of its own is the module ``__main__`` for its code, and only for its code."""

from __future__ import annotations

import sys
import threading

import pytest

from pyrepl_stream import Session

CASES = {
    "the module": "import sys; sys.modules['__main__'].__dict__ is globals()",
    "an import": "x = 5\nimport __main__\n__main__.x == 5 and '__main__' in repr(__main__)",
    "a name": "from __main__ import __builtins__ as b\nb is not None",
    "setting": "import __main__\n__main__.y = 3\ny == 3 and 'y' in dir(__main__)",
    "deleting": "z = 1\nimport __main__\ndel __main__.z\n'z' not in globals() and not hasattr(__main__, 'z')",
    "dataclasses": (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass, fields\n"
        "from typing import ClassVar\n"
        "@dataclass\nclass C:\n    x: int = 0\n    k: ClassVar[int] = 1\n"
        "[f.name for f in fields(C)] == ['x']"
    ),
    "type hints": (
        "import typing\nclass A:\n    b: 'B'\nclass B: pass\ntyping.get_type_hints(A) == {'b': B}"
    ),
    "pickle": "import pickle\ndef f(x): return x + 1\npickle.loads(pickle.dumps(f))(1) == 2",
    "threads": (
        "import pickle\nfrom concurrent.futures import ThreadPoolExecutor\ndef g(): return 7\n"
        "with ThreadPoolExecutor() as pool:\n    dumped = pool.submit(pickle.dumps, g).result()\n"
        "pickle.loads(dumped)() == 7"
    ),
    "tasks": (
        "import asyncio, pickle\ndef g(): return 7\nasync def h(): return pickle.dumps(g)\n"
        "pickle.loads(await asyncio.create_task(h()))() == 7"
    ),
    "processes": (
        "import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "def h(x): return x * 2\n"
        "with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork')) as pool:\n"
        "    doubled = list(pool.map(h, [1, 2]))\n"
        "doubled == [2, 4]"
    ),
    "doctest": (
        "import doctest\ndef f():\n    '''\n    >>> f()\n    1\n    '''\n    return 1\n"
        "doctest.testmod() == (0, 1)"
    ),
    "unittest": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): pass\n"
        "unittest.main(argv=['x'], exit=False).result.testsRun == 1"
    ),
}


@pytest.mark.parametrize("code", CASES.values(), ids=CASES)
@pytest.mark.parametrize("given", [False, True])
def test_the_namespace_is_the_main_module(code: str, given: bool) -> None:
    with Session({} if given else None) as session:
        result = session.execute(code).wait()
        assert result.success, result.reason
        assert result.result == "True"


def test_each_namespace_has_its_own_main_module_at_the_same_time() -> None:
    main = sys.modules["__main__"]
    both = threading.Barrier(3, timeout=60)
    code = "import sys\nboth.wait()\nmine = sys.modules['__main__'].name\nboth.wait()"
    with Session({"name": "one", "both": both}) as first, Session({"name": "two", "both": both}) as second:
        runs = [session.execute(code) for session in (first, second)]
        both.wait()
        assert sys.modules["__main__"].__dict__ is main.__dict__
        assert not hasattr(sys.modules["__main__"], "both")
        both.wait()
        assert all(run.wait().success for run in runs)
        assert (first.namespace["mine"], second.namespace["mine"]) == ("one", "two")
    assert sys.modules["__main__"] is main


def test_the_namespace_of_a_module_stays_that_modules() -> None:
    with Session(sys.modules["__main__"].__dict__) as session:
        main = sys.modules["__main__"]
        session.namespace["the_main_module"] = main
        try:
            assert (
                session.execute("import sys; sys.modules['__main__'] is the_main_module").wait().result
                == "True"
            )
        finally:
            del session.namespace["the_main_module"]
