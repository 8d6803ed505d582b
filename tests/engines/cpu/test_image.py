"""Object code is placed in memory without LLVM where that is known how, and by LLVM elsewhere."""

import ctypes
import gc
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite import ir

from retrograd.engines.cpu.machine import host, image, llvm
from retrograd.engines.cpu.machine.compiled import KIND, load
from retrograd.engines.cpu.machine.target import TARGETS

known_here = pytest.mark.skipif(sys.platform != "linux", reason="only ELF is placed without LLVM")
OTHER = "neon" if host.host().is_x86 else "avx2"

I64 = ir.IntType(64)
TASK = ir.FunctionType(ir.VoidType(), [ir.PointerType(), ir.PointerType()])


def assembled(fill, target=None):
    """Object code of `task(memory, numbers)`, whose body `fill(module, builder, memory)` writes."""
    module = ir.Module(name="task", context=ir.Context())
    function = ir.Function(module, TASK, "task")
    builder = ir.IRBuilder(function.append_basic_block())
    fill(module, builder, function.args[0])
    builder.ret_void()
    machine = host.machine_of(target or host.host())
    return llvm.assemble(llvm.optimize(str(module), machine), machine)


def store(number):
    def fill(module, builder, memory):
        builder.store(ir.Constant(I64, number), memory)

    return fill


def call_of(name):
    def fill(module, builder, memory):
        function = ir.Function(module, ir.FunctionType(I64, [I64]), name)
        builder.store(builder.call(function, [ir.Constant(I64, -7)]), memory)

    return fill


def constants(module, builder, memory):
    """Numbers that do not fit into an instruction lie in a section of their own."""
    table = ir.GlobalVariable(module, ir.ArrayType(I64, 5), "table")
    table.global_constant, table.linkage = True, "internal"
    table.initializer = ir.Constant(ir.ArrayType(I64, 5), [3, 1, 4, 1, 5])
    place = builder.load(memory, typ=I64)
    found = builder.gep(table, [place], source_etype=I64)
    builder.store(builder.load(found, typ=I64), memory)


def counter(module, builder, memory):
    """A variable of the code's own."""
    own = ir.GlobalVariable(module, I64, "own")
    own.linkage, own.initializer = "internal", ir.Constant(I64, 41)
    more = builder.add(builder.load(own, typ=I64), ir.Constant(I64, 1))
    builder.store(more, own)
    builder.store(more, memory)


def run(code, number=0):
    """The number that a task leaves in place of this one."""
    word = ctypes.c_int64(number)
    code.call(ctypes.addressof(word), 0)
    return word.value


@known_here
@pytest.mark.parametrize(
    ("fill", "given", "expected"),
    [(store(1 << 40), 0, 1 << 40), (constants, 2, 4), (call_of("labs"), 0, 7)],
    ids=["alone", "constants", "function of the process"],
)
def test_code_is_placed_without_llvm(fill, given, expected):
    address, _memory = image.place([assembled(fill)], "task")
    word = ctypes.c_int64(given)
    KIND(address)(ctypes.addressof(word), 0)
    assert word.value == expected


@known_here
def test_code_in_memory_can_run_but_not_be_written():
    address, memory = image.place([assembled(store(1))], "task")
    lines = Path("/proc/self/maps").read_text().splitlines()
    spans = [(line.split()[0].split("-"), line.split()[1]) for line in lines]
    (flags,) = [f for (low, high), f in spans if int(low, 16) <= address < int(high, 16)]
    assert flags == "r-xp"
    assert memory.size


@known_here
def test_memory_of_code_is_given_back_with_the_code():
    def mapped():
        gc.collect()
        return len(Path("/proc/self/maps").read_text().splitlines())

    before = mapped()
    codes = [load([assembled(store(i))], "task") for i in range(20)]
    assert [run(code) for code in codes] == [*range(20)]
    del codes
    assert mapped() <= before + 2


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b"\xcf\xfa\xed\xfe" + bytes(60),
        assembled(store(1), TARGETS[OTHER]),
        assembled(counter),
        assembled(call_of("a_function_that_there_is_not")),
    ],
    ids=["empty", "Mach-O", "for another family", "a variable", "unknown function"],
)
def test_what_is_not_known_is_left_to_llvm(code):
    assert image.place([code], "task") is None


@pytest.mark.parametrize("gap", [0, 4096 - 8, 3 << 20])
def test_code_of_arm_finds_its_constants_and_calls_in_one_piece(gap):
    """Of two instructions that read from memory, one has the page and one the place in it."""

    def apart(module, builder, memory):
        if gap:
            far = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), gap), "a_table_between")
            far.global_constant, far.linkage = True, "internal"
            far.initializer = ir.Constant(far.value_type, bytearray(b"x" * gap))
            first = builder.load(
                builder.gep(far, [builder.load(memory, typ=I64)], source_etype=ir.IntType(8)),
                typ=ir.IntType(8),
            )
            builder.store(builder.zext(first, I64), memory)
        constants(module, builder, memory)
        call_of("labs")(module, builder, memory)

    memory, entry = image.linked([assembled(apart, TARGETS["neon"])], "task", image.AARCH64)
    code = np.frombuffer(memory, "<u4")
    words = [int(word) for word in code[entry // 4 :]]
    end = words.index(0xD65F03C0)  # ret
    found, bases = [], {}
    for i, word in enumerate(words[:end]):
        at = entry + 4 * i
        if word & 0x9F000000 == 0x90000000:  # adrp x, page
            pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            pages -= (pages & 1 << 20) << 1
            bases[word & 31] = ((at >> 12) + pages) << 12
        elif word & 0xFFC00000 == 0x91000000 and word >> 5 & 31 in bases:  # add x, x, place
            found.append(bases[word >> 5 & 31] + (word >> 10 & 0xFFF))
        elif word & 0xFC000000 == 0x94000000:  # bl
            distance = (word & 0x3FFFFFF) - ((word & 1 << 25) << 1)
            stub = memory[at + 4 * distance :][: image.STUB]
            assert stub.startswith(image.AARCH64.jump)
            labs = ctypes.cast(ctypes.CDLL(None).labs, ctypes.c_void_p).value
            assert int.from_bytes(stub[8:], "little") == labs
            found.append("labs")
    tables = [memory[at : at + 40] for at in found if at != "labs"]
    assert np.array([3, 1, 4, 1, 5]).tobytes() in tables
    assert found[-1] == "labs"
    assert not gap or any(table.startswith(b"xxxx") for table in tables)


@pytest.mark.skipif(
    not host.host().is_x86, reason="LLVM ends the process where it places sections too far apart"
)
def test_what_is_left_to_llvm_runs_too():
    code = load([assembled(counter)], "task")
    assert [run(code), run(code)] == [42, 43]


@known_here
def test_kept_code_runs_without_loading_llvm(tmp_path):
    code = (
        "import sys, numpy as np, retrograd as rg; X = np.linspace(-1, 1, 64)[:, None]; "
        "net = rg.MLP([1, 4, 1]); rg.train(net, X, X, epochs=2, engine='cpu'); net.predict(X); "
        "print('llvmlite' in sys.modules)"
    )
    env = os.environ | {"RETROGRAD_CACHE": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        for _ in range(2)
    ]
    assert said == ["True", "False"]


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """How often LLVM was asked for the machine; each call of `this_machine` is a new process's."""
    monkeypatch.setenv("RETROGRAD_CACHE", str(tmp_path))
    found, ask = [], llvm.this_machine

    def counted():
        found.append(1)
        return ask()

    monkeypatch.setattr(llvm, "this_machine", counted)
    return found


@known_here
def test_llvm_is_asked_for_the_processor_once_and_again_when_it_is_another(
    asked, monkeypatch, tmp_path
):
    first, again = (host.this_machine.__wrapped__() for _ in range(2))
    assert first == again == llvm.this_machine()
    assert len(asked) == 2  # once by the first, once here
    other = tmp_path / "cpuinfo"
    said = Path(host.CPUINFO).read_text()
    other.write_text(re.sub(r"^(flags|Features)\s*:", r"\1\t: another", said, flags=re.MULTILINE))
    monkeypatch.setattr(host, "CPUINFO", other)
    host.this_machine.__wrapped__()
    assert len(asked) == 3


def core_of_arm(number, part):
    facts = {"processor": number, "Features": "fp asimd", "CPU implementer": "0x41"}
    facts |= {"CPU variant": "0x3", "CPU part": part, "CPU revision": 1}
    return "".join(f"{name}\t: {said}\n" for name, said in facts.items()) + "CPU architecture: 8\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says so in a file")
def test_arm_says_by_all_its_cores_which_processor_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(host, "CPUINFO", tmp_path / "cpuinfo")

    def description(*parts):
        cores = [core_of_arm(i, part) for i, part in enumerate(parts)]
        (tmp_path / "cpuinfo").write_text("\n".join(cores))
        return host._description()

    same = description("0xd05")
    assert same is not None
    assert same == description("0xd05", "0xd05")
    assert same != description("0xd05", "0xd0a")


@pytest.mark.parametrize("said", ["", "processor\t: 0\nflags\t: fpu\n"])
def test_where_the_system_does_not_say_enough_llvm_is_asked(said, asked, monkeypatch, tmp_path):
    monkeypatch.setattr(host, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(said)
    for _ in range(2):
        host.this_machine.__wrapped__()
    assert len(asked) == 2
