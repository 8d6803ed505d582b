"""Generated code of the Mersenne Twister, in vectors: the numbers of NumPy's `RandomState`.

Source: M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM Transactions on Modeling and Computer
Simulation 8 (1998): MT19937, with r = 31.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from retrograd.engines.cpu.code.builder.integers import (
    I32,
    POINTER,
    Int,
    Integers,
    as_value,
    loop,
    vector_of,
)

WORDS = 624  # of the state, and numbers that are made at once
BACK = 397  # a word is made of the one that follows so many before the last ones
LANES = 16  # words at once: a divisor of WORDS, and no more than WORDS - BACK
UPPER, LOWER, MATRIX = 0x80000000, 0x7FFFFFFF, 0x9908B0DF

_VECTOR = vector_of(I32, LANES)


class Twister:
    """A generator in the code of a function.

    Its state lies at `key`: words, and after them how many of their numbers have been drawn.
    """

    def __init__(self, builder: ir.IRBuilder, key: Any) -> None:
        self._builder, self._key = builder, key
        self._numbers = builder.alloca(ir.ArrayType(I32, WORDS))
        self._refill = _refill(builder.module)
        self._temper = _temper(builder.module)
        builder.call(self._temper, [key, self._numbers])

    @property
    def place(self) -> Any:
        """Where the number of the words drawn lies, an int32."""
        return _at(self._builder, self._key, WORDS)

    def refill(self) -> None:
        """Make the next numbers; those at hand are drawn."""
        self._builder.call(self._refill, [self._key])
        self._builder.call(self._temper, [self._key, self._numbers])

    def number(self, i: Int) -> Any:
        """Number i of those at hand: 32 bits."""
        return self._builder.load(_at(self._builder, self._numbers, i), align=4, typ=I32)


def _at(builder: ir.IRBuilder, words: Any, i: Int) -> Any:
    return builder.gep(words, [as_value(i)], source_etype=I32)


def _read(builder: ir.IRBuilder, words: Any, i: Int) -> Any:
    return builder.load(_at(builder, words, i), align=4, typ=_VECTOR)


def _write(builder: ir.IRBuilder, vector: Any, words: Any, i: Int) -> None:
    place = builder.gep(words, [as_value(i)], source_etype=I32)
    builder.store(vector, builder.bitcast(place, _VECTOR.as_pointer()), align=4)


def _every(number: int) -> Any:
    return ir.Constant(_VECTOR, [ir.Constant(I32, number)] * LANES)


def _helper(module: ir.Module, name: str, n_arguments: int) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER] * n_arguments), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    return function


def _refill(module: ir.Module) -> ir.Function:
    """`refill(key)`: the next words in place of the last.

    They follow the last ones in a line: word k + WORDS is made of k, k + 1 and k + BACK.
    """
    function = _helper(module, "refill", 1)
    builder, (key,) = ir.IRBuilder(function.append_basic_block()), function.args
    integers, line = Integers(builder), builder.alloca(ir.ArrayType(I32, 2 * WORDS))
    with loop(builder, 0, WORDS, LANES) as turn:
        _write(builder, _read(builder, key, turn.i), line, turn.i)
    with loop(builder, 0, WORDS, LANES) as turn:
        this, following, far = (
            _read(builder, line, integers.add(turn.i, offset)) for offset in (0, 1, BACK)
        )
        mixed = builder.or_(
            builder.and_(this, _every(UPPER)), builder.and_(following, _every(LOWER))
        )
        is_odd = builder.and_(following, _every(1))
        matrix = builder.and_(builder.sub(_every(0), is_odd), _every(MATRIX))
        made = builder.xor(builder.xor(far, builder.lshr(mixed, _every(1))), matrix)
        _write(builder, made, line, integers.add(turn.i, WORDS))
        _write(builder, made, key, turn.i)
    builder.ret_void()
    return function


def _temper(module: ir.Module) -> ir.Function:
    """`temper(key, numbers)`: the numbers of all words."""
    function = _helper(module, "temper", 2)
    builder, (key, numbers) = ir.IRBuilder(function.append_basic_block()), function.args
    with loop(builder, 0, WORDS, LANES) as turn:
        y = _read(builder, key, turn.i)
        y = builder.xor(y, builder.lshr(y, _every(11)))
        y = builder.xor(y, builder.and_(builder.shl(y, _every(7)), _every(0x9D2C5680)))
        y = builder.xor(y, builder.and_(builder.shl(y, _every(15)), _every(0xEFC60000)))
        y = builder.xor(y, builder.lshr(y, _every(18)))
        _write(builder, y, numbers, turn.i)
    builder.ret_void()
    return function
