"""Whatever the JSON text: only the named values change, byte for byte, and a parser agrees with a model."""

import copy
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.json_fields import find, replace, steps_of, values

KEYS = st.sampled_from(["a", "b", 'quote"', "é", "back\\slash"])
LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
PATHS = st.sampled_from(["a", "b", "a.b", "a[]", "a[].b", "[]", "[].a", "[].a.b", "é", "a.b.a"])
INDENTS = st.sampled_from([None, 0, 2, "\t"])
HOLE = "\x00hole\x00"


def with_new(document: Any, steps: tuple[str | None, ...]) -> Any:
    """Return a model of what shall come out."""
    if not steps:
        return HOLE
    first, rest = steps[0], steps[1:]
    if first is None and isinstance(document, list):
        return [with_new(each, rest) for each in document]
    if first is not None and isinstance(document, dict) and first in document:
        return document | {first: with_new(document[first], rest)}
    return document


@given(DOCUMENTS, PATHS, INDENTS, st.booleans())
def test_a_parser_agrees_with_the_model(document: Any, path: str, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    edited = replace(text, (path,), lambda _: HOLE)
    assert edited is not None
    assert json.loads(edited) == with_new(copy.deepcopy(document), steps_of(path))


@given(DOCUMENTS, PATHS, INDENTS)
def test_every_byte_outside_the_values_stays(document: Any, path: str, indent: int | str | None) -> None:
    text = json.dumps(document, indent=indent).encode()
    edited = replace(text, (path,), lambda _: HOLE)
    assert edited is not None
    kept = [re.escape(piece) for piece in edited.split(json.dumps(HOLE).encode())]
    assert re.fullmatch(b".+?".join(kept), text, re.DOTALL)


@given(DOCUMENTS, PATHS, INDENTS)
def test_putting_the_old_texts_back_gives_the_old_bytes(document: Any, path: str, indent: int | str | None) -> None:
    text = json.dumps(document, indent=indent).encode()

    def same(value: object) -> str | None:
        return value if isinstance(value, str) else None

    assert replace(text, (path,), same) == text


@given(DOCUMENTS, PATHS)
def test_a_text_and_its_document_hold_the_same_values(document: Any, path: str) -> None:
    assert find(json.dumps(document).encode(), (path,)) == values(document, path)


@given(st.binary(max_size=100), PATHS)
def test_junk_is_told_and_never_raises(data: bytes, path: str) -> None:
    edited = replace(data, (path,), lambda _: HOLE)
    assert (edited is None) == (find(data, (path,)) is None)


LEAF = st.sampled_from(['"p"', '"p"', '""', '"a"', '"\\u0070"', '"\\"p"', '"p\\\\"', '"/"', '"\\/"', "1", "NaN"])
KEY = st.sampled_from(['"a"', '"b"', '"p"', '"\\u0061"'])


def members(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return objects in which a key may stand twice, or be spelt in another way, and arrays."""
    pairs = st.lists(st.tuples(KEY, inner).map(" : ".join), max_size=4)
    return pairs.map(lambda parts: "{" + ",".join(parts) + "}") | st.lists(inner, max_size=4).map(
        lambda parts: "[" + ", ".join(parts) + "]"
    )


@given(st.recursive(LEAF, members, max_leaves=12), st.lists(PATHS, min_size=1, max_size=2, unique=True), st.booleans())
def test_however_values_are_spelt_and_doubled_none_is_missed(text: str, paths: list[str], leave: bool) -> None:
    data = text.encode()

    def new(value: object) -> str | None:
        return None if leave and value == "p" else HOLE if isinstance(value, str) else None

    found, edited = find(data, tuple(paths)), replace(data, tuple(paths), new)
    if found is None:
        assert edited is None
    else:
        assert edited is not None
        assert edited.count(json.dumps(HOLE).encode()) == sum(new(value) is not None for value in found)
        assert (edited is data) == all(new(value) is None for value in found)
