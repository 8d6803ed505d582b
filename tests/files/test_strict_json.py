"""Strict JSON comes back equal, and what is not strict is refused with its place."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import OptionError
from retrograd.files import strict_json

texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**128), max_value=2**128)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_a_value_comes_back_equal_with_its_types_and_signs(value: Any) -> None:
    # repr tells 1 from 1.0 and from True, and 0.0 from -0.0, which == does not.
    text = strict_json.dumps(value)
    assert strict_json.dumps(strict_json.loads(text)) == text
    assert repr(strict_json.loads(text)) == repr(json.loads(json.dumps(value, sort_keys=True)))
    assert strict_json.loads(text) == value


def test_the_order_of_keys_does_not_show_in_the_text() -> None:
    assert strict_json.dumps({"b": 1, "a": 2}) == strict_json.dumps({"a": 2, "b": 1})


def test_text_beyond_ascii_is_written_as_it_is() -> None:
    assert strict_json.dumps("Maß 𝛿") == '"Maß 𝛿"'


def _nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def _holding_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [0.5, math.nan]}, "header['a'][1] is nan; JSON holds finite numbers only"),
        ({"a": {"b": -math.inf}}, "header['a']['b'] is -inf; JSON holds finite numbers only"),
        ({"a": np.float64("inf")}, "header['a'] is inf; JSON holds finite numbers only"),
        ({"a": (1, 2)}, "header['a'] is of the type tuple; JSON knows None"),
        ({"a": np.int64(3)}, "header['a'] is of the type int64; JSON knows None"),
        ({"a": np.zeros(2)}, "header['a'] is of the type ndarray; JSON knows None"),
        ({"a": b"x"}, "header['a'] is of the type bytes; JSON knows None"),
        ({"a": {1: "x"}}, "header['a'] has the key 1 (int); keys are str"),
        ({"a": ["x\ud800"]}, r"header['a'][0] has '\ud800' in it, which UTF-8 cannot hold"),
        ({"\udfff": 1}, r"a key of header has '\udfff' in it, which UTF-8 cannot hold"),
        ({"a": 1 << 2048}, "header['a'] is an integer of more than 2048 bits"),
        ({"a": _nested(101)}, "is nested deeper than 100 levels"),
        ({"a": _holding_itself()}, "is nested deeper than 100 levels"),
    ],
)
def test_what_would_not_come_back_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        strict_json.dumps(value, name="header")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{} {}",
        "[1,]",
        "{'a':1}",
        '{"a":1,"a":1}',
        '{"b":{"a":1,"c":2,"a":3}}',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "01",
        '"\n"',
        r'"\ud800"',
        r'{"\udc00":1}',
        "9" * 618,
        "9" * 100_000,
        "[" * 102 + "]" * 102,
        "[" * 1_000_000,
        '{"a":' * 1_000_000,
        "\ufeff{}",
    ],
    ids=lambda text: text[:12],
)
def test_a_text_that_is_not_strict_json_is_an_option_error(text: str) -> None:
    with pytest.raises(OptionError):
        strict_json.loads(text)


@pytest.mark.parametrize(
    ("value", "plain"),
    [(np.float64(0.1), 0.1), (OrderedDict(a=1), {"a": 1}), (np.str_("x"), "x")],
)
def test_what_is_a_kind_of_a_plain_value_is_written_as_that_value(value: Any, plain: Any) -> None:
    assert strict_json.loads(strict_json.dumps(value)) == plain


def test_the_deepest_and_the_longest_that_are_written_are_read() -> None:
    value = [_nested(99), 2**2048 - 1, -(2**2048 - 1), 5e-324, 1.7976931348623157e308]
    assert strict_json.loads(strict_json.dumps(value)) == value
