"""Code is made in several modules, on two threads, and is the same as in one."""

import ctypes
import gc
import math
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
from llvmlite import ir

import retrograd as rg
from retrograd.engines.cpu.abi.table import Table
from retrograd.engines.cpu.code import emit
from retrograd.engines.cpu.engine import CpuEngine
from retrograd.engines.cpu.machine import cache, compiled, host, llvm
from retrograd.engines.cpu.machine.overlap import overlapped
from retrograd.engines.cpu.machine.target import TARGETS
from retrograd.engines.cpu.run import executable
from retrograd.graph.step import Step
from retrograd.plan.schedule import plan

I, O = 5, 3
EMIT_MODULES = emit.emit_modules
I64 = ir.IntType(64)
TASK = ir.FunctionType(ir.VoidType(), [ir.PointerType(), ir.PointerType()])
rng = np.random.default_rng(0)
X = rng.normal(size=(40, I)).astype(np.float32)
W = rng.normal(size=(I, O)).astype(np.float32)


def step():
    """Some kernels, one of them with a function of its own (a power of numbers)."""
    x = rg.variable("x", shape=(rg.rows, I), dtype="float32")
    w, t = rg.variable("w", shape=(I, O), dtype="float32"), rg.variable("t", shape=())
    rate = rg.variable("rate", shape=())
    J = rg.mean(rg.square(rg.softmax(rg.tanh(x @ w) @ w.T)))
    slower = rg.cast(rate / (1.0 + rate**t), "float32")
    updates = {"w": w - slower * rg.gradient(J, w), "t": t + 1.0}
    return Step({"x": x}, {"w": w, "t": t}, {"J": J}, {"rate": rate}, updates)


def modules(target, limit):
    program = plan(step())
    found = EMIT_MODULES(program, target, Table(program, target), limit=limit)
    return [str(module) for module in found]


@pytest.fixture
def anew(monkeypatch, tmp_path):
    """Code is made anew in this test, into a folder of its own, and forgotten whenever called."""

    def forget():
        monkeypatch.setattr(compiled, "_COMPILED", OrderedDict())
        executable._kept.cache_clear()

    monkeypatch.setenv("RETROGRAD_CACHE", str(tmp_path))
    host.host()  # what LLVM says of it is kept too
    forget()
    yield forget
    executable._kept.cache_clear()


def trained():
    session = CpuEngine().open({"step": step()}, {"w": W, "t": np.zeros(())}, {"x": X})
    J = session.run("step", np.arange(len(X)), {"rate": 0.1}, batch_size=7)["J"]
    return np.append(J, session.read("w"))


# Modules.


def test_many_modules_compute_what_one_does(anew, monkeypatch):
    results = []
    for limit in (math.inf, 1):
        monkeypatch.setenv("RETROGRAD_CACHE", "off")
        monkeypatch.setattr(emit, "emit_modules", partial(EMIT_MODULES, limit=limit))
        anew()
        results.append(trained())
    np.testing.assert_array_equal(*results)
    assert len(modules(host.host(), 1)) > 5
    assert len(modules(host.host(), math.inf)) == 1


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_same_program_is_the_same_bytes_whichever_thread_makes_its_parts(target):
    machine = host.machine_of(target)
    first, again = (llvm.assembled(modules(target, 40), machine) for _ in range(2))
    alone = [llvm.assemble(llvm.optimize(text, machine), machine) for text in modules(target, 40)]
    assert len(first) > 2
    assert first == again == alone


def test_another_llvmlite_makes_the_same_bytes(monkeypatch):
    target, machine = host.host(), host.machine_of(host.host())
    expected = llvm.assembled(modules(target, 50), machine)
    assert llvm._unlocked("LLVMPY_TargetMachineEmitToMemory") is not None
    assert llvm._unlocked("LLVMPY_of_another_version") is None
    monkeypatch.setattr(llvm, "_unlocked", lambda name: None)
    assert llvm.assembled(modules(target, 50), machine) == expected


def test_numbers_raised_to_powers_share_one_function_a_module():
    (text,) = modules(host.host(), math.inf)
    assert text.count("define internal double") == 1
    assert text.count("call double @") > 1


# Object files that call each other.


def objects():
    """A task that calls a function of another object, which calls one of the process."""
    kind = ir.FunctionType(I64, [I64])
    modules = [ir.Module(name=name, context=ir.Context()) for name in ("task", "inner")]
    task = ir.Function(modules[0], TASK, "task")
    inner = ir.Function(modules[0], kind, "inner")
    inner.linkage = "hidden"
    builder = ir.IRBuilder(task.append_basic_block())
    given = builder.load(task.args[0], typ=I64)
    builder.store(builder.call(inner, [given]), task.args[0])
    builder.ret_void()
    inner = ir.Function(modules[1], kind, "inner")
    inner.linkage = "hidden"
    builder = ir.IRBuilder(inner.append_basic_block())
    labs = ir.Function(modules[1], kind, "labs")
    builder.ret(builder.mul(builder.call(labs, inner.args), ir.Constant(I64, 3)))
    return llvm.assembled(map(str, modules), host.machine_of(host.host()))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("place", [compiled.load, llvm.place], ids=["as ever", "by LLVM"])
def test_a_function_may_call_one_of_another_object(place, turned):
    found = place(objects()[:: -1 if turned else 1], "task")
    call = found.call if isinstance(found, compiled.Code) else compiled.KIND(found[0])
    word = ctypes.c_int64(-7)
    call(ctypes.addressof(word), 0)
    assert word.value == 21


# Kept on disk.


def test_code_of_several_modules_is_kept_as_one_entry_and_a_damaged_one_is_remade(
    anew, tmp_path, monkeypatch
):
    made = []
    monkeypatch.setattr(
        emit, "emit_modules", lambda *given: made.append(1) or EMIT_MODULES(*given, limit=40)
    )
    expected = trained()
    entry = max(tmp_path.glob("*.o"), key=lambda file: file.stat().st_size)
    content = entry.read_bytes()
    assert content.count(b"\x7fELF") > 2 or sys.platform != "linux"
    for damaged, n_made in [(content, 1), (content[:-1], 2), (content[:60] + b"?" * 60, 3)]:
        entry.write_bytes(damaged)
        anew()
        np.testing.assert_array_equal(trained(), expected)
        assert len(made) == n_made
        assert entry.read_bytes() == content
    assert not [*tmp_path.glob("*.new")]


def test_an_entry_in_the_place_of_another_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("RETROGRAD_CACHE", str(tmp_path))
    for key in ("this", "that"):
        cache.write(key, key.encode())
        assert cache.read(key) == key.encode()
    os.replace(cache.entry("this"), cache.entry("that"))
    assert cache.read("that") is None


def test_a_network_runs_from_kept_code_in_another_process_with_the_same_bits(tmp_path):
    code = (
        "import sys, numpy as np, retrograd as rg; X = np.linspace(0, 1, 640).reshape(10, 64); "
        "net = rg.MLP([64, 100, 10], output='softmax', seed=0); y = np.arange(10); "
        "rg.train(net, X, y, optimizer='adam', epochs=3, batch_size=4, engine='cpu'); "
        "print('llvmlite' in sys.modules, sum(np.sum(net.parameters[n]) for n in "
        "net.parameters).hex())"
    )
    env = os.environ | {"RETROGRAD_CACHE": str(tmp_path)}
    first, again = (
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    )
    assert first[0] == "True"
    assert again[1] == first[1]
    if sys.platform == "linux" and host.host().is_x86:
        assert again[0] == "False"


def test_ctrl_c_while_code_is_made_leaves_nothing_and_the_next_try_makes_it(
    anew, monkeypatch, tmp_path
):
    def interrupted(*given):
        yield next(EMIT_MODULES(*given, limit=1))
        raise KeyboardInterrupt

    before = {*tmp_path.iterdir()}
    monkeypatch.setattr(emit, "emit_modules", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained()
    assert {*tmp_path.iterdir()} == before
    assert "retrograd code" not in {thread.name for thread in threading.enumerate()}
    monkeypatch.setattr(emit, "emit_modules", EMIT_MODULES)
    assert np.isfinite(trained()).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_fork_makes_code_too(anew):
    expected = trained()
    anew()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)
            os.environ["RETROGRAD_CACHE"] = "off"
            np.testing.assert_array_equal(trained(), expected)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


# Two kinds of work at once.


def test_work_goes_on_while_things_are_made_and_its_results_are_in_order():
    begun, names = threading.Event(), []

    def things():
        yield 0
        assert begun.wait(10)  # the first is worked on before the second is made
        yield from range(1, 50)

    def work(thing):
        begun.set()
        names.append(threading.current_thread().name)
        return -thing

    assert overlapped(work, things()) == [-i for i in range(50)]
    assert names[0] == "retrograd code"
    assert overlapped(work, []) == []


def test_what_work_raises_is_raised_here_whoever_did_it():
    def work(thing):
        if thing == 3:
            raise ValueError("3 is no good")
        return thing

    for _ in range(20):
        with pytest.raises(ValueError, match="3 is no good"):
            overlapped(work, range(6))


def test_the_interpreter_is_left_as_it_was():
    def things(*, fails):
        assert not gc.isenabled()
        yield 1
        if fails:
            raise ValueError("no more")

    before = sys.getswitchinterval()
    overlapped(abs, things(fails=False))
    with pytest.raises(ValueError, match="no more"):
        overlapped(abs, things(fails=True))
    assert gc.isenabled()
    assert sys.getswitchinterval() == before
