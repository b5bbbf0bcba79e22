"""Single values of a JSON text: found, changed, and everything else left as it was."""

import json
from typing import Any

import pytest

from proxy.sansio.json_fields import find, insert_first, replace, steps_of, values

MARK = b'"new"'


def changed(data: bytes, *paths: str) -> bytes | None:
    return replace(data, paths, lambda _: "new")


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("error", ("error",)),
        ("error.code", ("error", "code")),
        ("links[].href", ("links", None, "href")),
        ("[].properties.token", (None, "properties", "token")),
        ("a[].b[]", ("a", None, "b", None)),
        ("$token", ("$token",)),
    ],
)
def test_a_path_is_read(path: str, steps: tuple[str | None, ...]) -> None:
    assert steps_of(path) == steps


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"error": {"code": 7}}, "error.code", [7]),
        ({"error": "text"}, "error.code", []),
        ({"links": [{"href": "a"}, {"rel": "b"}, 3, {"href": "c"}]}, "links[].href", ["a", "c"]),
        ([{"token": None}], "[].token", [None]),
        ([{"token": 1}], "token", []),
        ({"a": [[1], [2]]}, "a[]", [[1], [2]]),
        (None, "a", []),
    ],
)
def test_values_of_a_parsed_document(document: Any, path: str, expected: list[Any]) -> None:
    assert values(document, path) == expected
    assert find(json.dumps(document).encode(), (path,)) == expected


@pytest.mark.parametrize(
    ("data", "paths", "expected"),
    [
        (b'{"api_key":"old"}', ("api_key",), b'{"api_key":"new"}'),
        (b' {\n\t"api_key" :\r "old" } ', ("api_key",), b' {\n\t"api_key" :\r "new" } '),
        (b'{"a":1.50,"api_key":"old","b":1e400}', ("api_key",), b'{"a":1.50,"api_key":"new","b":1e400}'),
        (b'{"api_key":null,"x":[]}', ("api_key",), b'{"api_key":"new","x":[]}'),
        (b'{"api_key":{"a":[1,"}"]}}', ("api_key",), b'{"api_key":"new"}'),
        (b'{"api_key":"1","api_key":"2"}', ("api_key",), b'{"api_key":"new","api_key":"new"}'),
        (b'{"api\\u005fkey":"old"}', ("api_key",), b'{"api\\u005fkey":"new"}'),
        (b'{"x":{"api_key":"old"}}', ("api_key",), b'{"x":{"api_key":"old"}}'),
        (b'{"x":"\\"api_key\\":\\"old\\""}', ("api_key",), b'{"x":"\\"api_key\\":\\"old\\""}'),
        (b'{"x":"old","token":"old"}', ("token",), b'{"x":"old","token":"new"}'),
        (b'[{"p":{"token":"o"}},{"p":{}},{"p":{"token":"o"}}]', ("[].p.token",), None),
        (b'{"batch":[{"k":"a"}],"k":"b"}', ("k", "batch[].k"), b'{"batch":[{"k":"new"}],"k":"new"}'),
        (b'{"a":{"b":"c"}}', ("a", "a.b"), b'{"a":"new"}'),
        (b'{"a":{"b":"c"}}', ("a.b", "a"), b'{"a":"new"}'),
        (b'["x",["y"]]', ("[]",), b'["new","new"]'),
        (b"{}", ("a",), b"{}"),
        (b"[ ]", ("[].a",), b"[ ]"),
        (b"7", ("a",), b"7"),
        ('{"é":"\U0001f600","k":"o"}'.encode(), ("k",), '{"é":"\U0001f600","k":"new"}'.encode()),
    ],
)
def test_the_values_at_the_places_change_and_nothing_else(
    data: bytes, paths: tuple[str, ...], expected: bytes | None
) -> None:
    assert changed(data, *paths) == (expected or data.replace(b'"o"', MARK))


@pytest.mark.parametrize("data", [b'{"a":1}', b"[]", b'"text"', b' {"k" : "old"} '])
def test_what_is_not_changed_is_the_same_object(data: bytes) -> None:
    assert replace(data, ("k",), lambda _: None) is data


@pytest.mark.parametrize(
    ("data", "edited"),
    [
        (b'{"a":"p","c":["p"]}', b'{"a":"NEW","c":["p"]}'),  # the same text elsewhere
        (b'{"a":"x","a":"p"}', b'{"a":"NEW","a":"NEW"}'),
        (b'{"\\u0061":"x","a":"p"}', b'{"\\u0061":"NEW","a":"NEW"}'),
        (b'{"a":"p","b":"x"}', b'{"a":"NEW","b":"NEW"}'),
        (b'{"a":"p","b":"x","c":"p"}', b'{"a":"NEW","b":"NEW","c":"p"}'),
        (b'{"a":"\\/","c":"/"}', b'{"a":"NEW","c":"/"}'),
        (b'{"a":"\\u0070","c":"p"}', b'{"a":"NEW","c":"p"}'),
        (b'{"a":"","c":"\\""}', b'{"a":"NEW","c":"\\""}'),
        (b'{"c":"a","b":"p"}', b'{"c":"a","b":"NEW"}'),
        (b'{"c":{"a":1},"b":"p"}', b'{"c":{"a":1},"b":"NEW"}'),
        (b'{"a":NaN,"b":"p"}', b'{"a":"NEW","b":"NEW"}'),
        (b'{"a":["p"],"b":"p"}', b'{"a":"NEW","b":"NEW"}'),
    ],
)
def test_texts_that_look_alike_are_told_apart_and_those_that_do_not_are_found(data: bytes, edited: bytes) -> None:
    assert replace(data, ("a", "b"), lambda _: "NEW") == edited


def test_the_new_value_depends_on_the_old_one_and_may_leave_it() -> None:
    def louder(value: object) -> str | None:
        return value.upper() if isinstance(value, str) else None

    assert replace(b'{"l":[{"h":"a\\/b"},{"h":3}]}', ("l[].h",), louder) == b'{"l":[{"h":"A/B"},{"h":3}]}'


def test_the_new_value_is_escaped() -> None:
    data = replace(b'{"k":0}', ("k",), lambda _: 'a"b\\c\né')
    assert data is not None
    assert json.loads(data) == {"k": 'a"b\\c\né'}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"{",
        b'{"k":"old"',
        b'{"k":"old",}',
        b'{"k" "old"}',
        b"{'k':'old'}",
        b'{k:"old"}',
        b'{"k":"old"}{"k":"old"}',
        b'{"k":"old"}\n{"k":"old"}',
        b'{"k":"old"} tail',
        b'{"k":"a\nb"}',
        b'[{"k":1},]',
        b"[{} {}]",
        b'\xef\xbb\xbf{"k":"old"}',
        b'{"k":"\xff"}',
        '{"k":"old"}'.encode("utf-16"),
        b"k=old",
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_is_told_and_never_raises(data: bytes) -> None:
    assert changed(data, "k", "[].k") is None
    assert find(data, ("k", "[].k")) is None


def test_a_number_of_a_million_digits_costs_nothing() -> None:
    data = b'{"n":' + b"9" * 1_000_000 + b',"k":"old"}'
    assert changed(data, "k") == data.replace(b'"old"', MARK)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1}', b'{"k":"v","a":1}'),
        (b' \n{ "a":1}', b' \n{"k":"v", "a":1}'),
        (b"{}", b'{"k":"v"}'),
        (b"{ }", b'{"k":"v" }'),
        (b"[]", None),
        (b'"{"', None),
        (b"", None),
    ],
)
def test_a_member_is_put_before_all_others(data: bytes, expected: bytes | None) -> None:
    assert insert_first(data, "k", "v") == expected
