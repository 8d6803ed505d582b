"""A fork's child has one thread: what its parent's other threads were doing does not hold it up."""

import os
import signal
import threading

import numpy as np
import pytest

import retrograd as rg
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.run import function as cpu_function
from retrograd.engines.cpu.run import single_row
from retrograd.engines.numpy import NumpyEngine
from retrograd.errors import DataError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

X = np.arange(6.0).reshape(3, 2)


class Slow:
    """An array that a call waits for, in the midst of its work."""

    shape = X.shape

    def __init__(self):
        self.is_asked, self.is_there = threading.Event(), threading.Event()

    def __array__(self, dtype=None, copy=None):
        self.is_asked.set()
        assert self.is_there.wait(20)
        return X


def exit_status(work):
    """Of a child that does this, and is ended after 20 seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def require_twice(function, rows):
    np.testing.assert_array_equal(function([rows])[0], 2.0 * rows)


@pytest.mark.parametrize("engine", [NumpyEngine(), CpuEngine(n_threads=2)], ids=["numpy", "cpu"])
def test_a_function_that_a_thread_is_in_can_be_called_in_a_child(engine):
    x = rg.variable("x", shape=(rg.rows, 2))
    function, slow, found = engine.function([x * 2.0], [x]), Slow(), []
    require_twice(function, X)
    thread = threading.Thread(target=lambda: found.extend(function([slow])))
    thread.start()
    assert slow.is_asked.wait(20)
    for n in (1, 3):
        assert exit_status(lambda rows=X[:n]: require_twice(function, rows)) == 0
    slow.is_there.set()
    thread.join()
    np.testing.assert_array_equal(found[0], 2.0 * X)


def looked_up():
    """A function that looks indices up, and indices that are and are not there: three, and one."""
    x = rg.variable("x", shape=(rg.rows,), dtype=np.int64)
    function = CpuEngine(n_threads=1).function([rg.take(np.arange(4.0), x)], [x])
    for n in (1, 3):
        function([np.zeros(n, np.int64)])
    return function, np.zeros(3, np.int64), np.full(3, 9)


def test_a_wrong_index_of_a_call_that_was_cut_off_is_not_an_error_of_the_child(monkeypatch):
    function, right, wrong = looked_up()
    with monkeypatch.context() as cut_off:
        cut_off.setattr(cpu_function, "require_legal", lambda memories: None)
        function([wrong])
    assert exit_status(lambda: function([right])) == 0
    with pytest.raises(DataError, match="index 9"):
        function([right])


def test_a_wrong_index_of_one_row_that_was_cut_off_is_no_error_of_another_call(monkeypatch):
    function, right, wrong = looked_up()

    def interrupted(memories):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut_off:
        cut_off.setattr(single_row, "require_legal", interrupted)
        with pytest.raises(KeyboardInterrupt):
            function([wrong[:1]])
    np.testing.assert_array_equal(function([right[:1]])[0], [0.0])
    assert exit_status(lambda: function([right[:1]])) == 0


def test_one_row_that_a_thread_is_at_holds_up_neither_a_child_nor_other_threads(monkeypatch):
    function, right, wrong = looked_up()
    is_there, may_go, found = threading.Event(), threading.Event(), []
    require_legal = single_row.require_legal

    def slow(memories):
        if threading.current_thread() is thread:
            is_there.set()
            assert may_go.wait(20)
        require_legal(memories)

    monkeypatch.setattr(single_row, "require_legal", slow)
    thread = threading.Thread(target=lambda: found.extend(function([right[:1] + 2])))
    thread.start()
    assert is_there.wait(20)
    for _ in range(2):
        assert exit_status(lambda: function([right[:1]])) == 0
        np.testing.assert_array_equal(function([right[:1]])[0], [0.0])
        with pytest.raises(DataError, match="index 9"):
            function([wrong[:1]])
    may_go.set()
    thread.join()
    np.testing.assert_array_equal(found[0], [2.0])
