"""Fields of a form: changed by name, and everything else left as it was."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.forms import edit_form_field, form_values, replace_form_field


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"token=old", b"token=new"),
        (b"a=1&token=old&b=%zz+x", b"a=1&token=new&b=%zz+x"),
        (b"token=1&a=2&token=3", b"token=new&a=2&token=new"),
        (b"t%6Fken=old", b"t%6Fken=new"),
        (b"token", b"token=new"),
        (b"token=a=b", b"token=new"),
        (b"&&a=1&", b"&&a=1&"),
        (b"mytoken=old&a=token", b"mytoken=old&a=token"),
        (b"Token=old", b"Token=old"),
        (b"", b""),
    ],
)
def test_all_fields_of_the_name_change_and_nothing_else(data: bytes, expected: bytes) -> None:
    assert replace_form_field(data, b"token", b"new") == expected


def test_a_name_with_a_blank_is_found_in_both_spellings() -> None:
    assert replace_form_field(b"my+token=1&my%20token=2", b"my token", b"new") == b"my+token=new&my%20token=new"


def test_the_new_value_is_encoded() -> None:
    assert replace_form_field(b"token=old", b"token", "a&b=c +é".encode()) == b"token=a%26b%3Dc+%2B%C3%A9"


def test_what_is_not_changed_is_the_same_object() -> None:
    data = b"a=1"
    assert replace_form_field(data, b"token", b"new") is data
    assert edit_form_field(data, b"a", lambda _: None) is data


@pytest.mark.parametrize(
    ("data", "expected"), [(b"", b"to+ken=new"), (b"a=1", b"a=1&to+ken=new"), (b"to%20ken=1", b"to%20ken=new")]
)
def test_a_field_is_added_where_there_is_none(data: bytes, expected: bytes) -> None:
    assert replace_form_field(data, b"to ken", b"new", add=True) == expected


def test_the_new_value_depends_on_the_decoded_old_one() -> None:
    assert edit_form_field(b"a=%7B+%7D&a=x", b"a", lambda old: old + b"!" if old == b"{ }" else None) == (
        b"a=%7B+%7D%21&a=x"
    )


def test_values_are_decoded() -> None:
    assert form_values(b"a=1+2&b=3&%61=%26&a", b"a") == [b"1 2", b"&", b""]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=5)), max_size=6), st.text(max_size=8))
def test_a_parser_agrees(pairs: list[tuple[str, str]], value: str) -> None:
    edited = replace_form_field(urlencode(pairs).encode(), b"b", value.encode()).decode()
    expected = [(name, value if name == "b" else old) for name, old in pairs]
    assert parse_qsl(edited, keep_blank_values=True) == expected
