"""Exchanging the ``write`` of bound threads."""

from __future__ import annotations

from pyrepl_stream.runtime.engine.binding import WriteBinding


class Bound:
    """A binding whose two functions note the text that they get."""

    def __init__(self) -> None:
        self.direct: list[str] = []
        self.checked: list[str] = []
        self.is_direct = False
        self.binding = WriteBinding(
            lambda text: self.direct.append(text) or 1,
            lambda text: self.checked.append(text) or 2,
            lambda: None,
            lambda: self.is_direct,
        )


def test_a_bound_thread_gets_the_write_of_the_state() -> None:
    bound, names = Bound(), {}
    bound.binding.bind(names)
    assert names["write"] is bound.binding.write
    bound.is_direct = True
    bound.binding.update()
    assert names["write"] is bound.binding.direct
    assert bound.binding.count == 1


def test_a_saved_write_follows_the_state() -> None:
    bound = Bound()
    saved = bound.binding.write
    saved("a")
    bound.is_direct = True
    bound.binding.update()
    saved("b")
    assert (bound.checked, bound.direct) == (["a"], ["b"])


def test_an_unbound_thread_has_no_write() -> None:
    bound, names, other = Bound(), {}, {}
    bound.binding.bind(names)
    bound.binding.bind(other)
    bound.binding.unbind(names)
    assert not names
    assert set(other) == {"write", "flush"}
    assert bound.binding.count == 1


def test_equal_dicts_of_two_threads_are_distinguished() -> None:
    bound, names, other = Bound(), {}, {}
    bound.binding.bind(names)
    bound.binding.bind(other)
    assert names == other
    bound.binding.unbind(other)
    bound.is_direct = True
    bound.binding.update()
    assert names["write"] is bound.binding.direct
    assert not other
