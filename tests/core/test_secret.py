"""A secret shows itself nowhere; a reference is told from a literal; only clean text becomes a secret."""

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json

from proxy.core.secret import MASK, DocumentRefs, Secret, SecretRef, SecretRefs, SecretSlot, parse_secret
from proxy.core.units import Frozen

VALUE = "sk_test_example"


class Settings(Frozen):
    key: SecretRefs


def test_only_reveal_gives_the_secret() -> None:
    assert Secret(VALUE).reveal() == VALUE


@pytest.mark.parametrize(
    "show",
    [
        repr, str, ascii, "{}".format, "{!r:>40}".format, "{:>40}".format, "%s".__mod__, "%r".__mod__,
        lambda secret: format(secret, "s"), lambda secret: str(ValueError(secret)), lambda secret: str([secret]),
        lambda secret: repr({"key": secret}), lambda secret: repr(SecretSlot(SecretRef("env", "KEY"), secret)),
        lambda secret: orjson.dumps({"key": secret}, default=str).decode(),
        lambda secret: json.dumps({"key": secret}, default=repr),
    ],
)  # fmt: skip
def test_every_way_to_write_a_secret_shows_the_mask(show: Callable[[Secret], str]) -> None:
    text = show(Secret(VALUE))
    assert MASK in text
    assert VALUE not in text


@pytest.mark.parametrize(
    "give_away",
    [
        copy.copy, copy.deepcopy, json.dumps, orjson.dumps, vars, bytes, iter, len, int,
        *(lambda secret, protocol=protocol: pickle.dumps(secret, protocol) for protocol in range(6)),
        lambda secret: secret.__reduce__(), lambda secret: secret.__getstate__(),
        lambda secret: copy.deepcopy({"keys": [secret]}),
        lambda secret: dataclasses.asdict(SecretSlot(SecretRef("env", "KEY"), secret)),
    ],
)  # fmt: skip
def test_every_way_to_take_a_secret_along_fails_without_showing_it(give_away: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as caught:
        give_away(Secret(VALUE))
    assert VALUE not in "".join(traceback.format_exception(caught.value))


def test_a_log_line_shows_the_mask(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("a").warning("key %s, %r", Secret(VALUE), Secret(VALUE))
    assert caplog.messages == [f"key {MASK}, {MASK}"]


def test_pydantic_cannot_write_a_secret() -> None:
    with pytest.raises(PydanticSerializationError) as caught:
        to_json({"key": Secret(VALUE)})
    assert VALUE not in str(caught.value)


def test_a_model_shows_the_mask_and_does_not_become_json() -> None:
    model = create_model("Holder", __config__=ConfigDict(arbitrary_types_allowed=True), key=(Secret, ...))
    holder = model(key=Secret(VALUE))
    assert repr(holder) == f"Holder(key={MASK})"
    with pytest.raises(PydanticSerializationError):
        holder.model_dump_json()


def test_no_configuration_model_takes_a_secret_by_value() -> None:
    with pytest.raises(PydanticSchemaGenerationError):
        TypeAdapter(Secret)


@pytest.mark.parametrize("guess", [VALUE, Secret(VALUE)])
def test_a_secret_does_not_tell_whether_a_guess_is_right(guess: object) -> None:
    assert Secret(VALUE) != guess
    assert hash(Secret(VALUE)) != hash(VALUE)


def test_nothing_can_be_hung_on_a_secret() -> None:
    with pytest.raises(AttributeError):
        Secret(VALUE).copy = VALUE  # type: ignore[attr-defined]  # that it can't be set is the point


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("env:STRIPE_SECRET_KEY", SecretRef("env", "STRIPE_SECRET_KEY")),
        ("env:_x1", SecretRef("env", "_x1")),
        ("file:/etc/creds/github", SecretRef("file", "/etc/creds/github")),
        ("file:/a:b c/ä", SecretRef("file", "/a:b c/ä")),
        ("exec:/usr/bin/fetch --key a", SecretRef("exec", "/usr/bin/fetch --key a")),
    ],
)
def test_a_reference_names_a_variable_or_an_absolute_path(text: str, ref: SecretRef) -> None:
    assert SecretRef.parse(text) == ref
    assert str(ref) == text
    assert SecretRef.parse(ref) is ref


@pytest.mark.parametrize(
    "text",
    [
        "", "env:", "file:", "env", "env:A B", "env:A-B", "env:$A", "env:A\n", "env:É", "env:²", " env:A", "ENV:A",
        "file:relative", "file:~/key", "file:/", "file:/a\nb", "vault:secret", "${KEY}", "/etc/key", 7,
        None, True, b"env:A", ["env:A"],
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write env:NAME, file:/absolute/path or exec:/command"):
        SecretRef.parse(text)


@given(literal=st.text(max_size=40).map(VALUE.__add__))
def test_a_literal_secret_is_refused_without_being_repeated(literal: str) -> None:
    with pytest.raises(ValueError, match="a literal secret is refused") as caught:
        SecretRef.parse(literal)
    assert VALUE not in "".join(traceback.format_exception_only(caught.value))


def test_a_literal_secret_in_the_configuration_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValidationError, match="a literal secret is refused") as caught:
        Settings.model_validate({"key": VALUE})
    assert VALUE not in str(caught.value)


def test_a_reference_is_read_and_written_as_text() -> None:
    settings = Settings.model_validate({"key": "env:KEY"})
    assert settings.key == (SecretRef("env", "KEY"),)
    assert settings.model_dump_json() == '{"key":"env:KEY"}'


def test_a_new_and_an_old_secret_may_both_be_live() -> None:
    settings = Settings.model_validate({"key": ["file:/new", "file:/old"]})
    assert list(map(str, settings.key)) == ["file:/new", "file:/old"]
    assert str(settings.key) == "file:/new, file:/old"
    assert settings.model_dump_json() == '{"key":["file:/new","file:/old"]}'


@pytest.mark.parametrize("value", [[], ["env:A", "env:A"], ["env:A", "env:B", "env:C"], ["env:A", VALUE], [VALUE]])
def test_no_other_number_of_references_and_no_literal_among_them_is_taken(value: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"key": value})
    assert VALUE not in str(caught.value)


def test_a_document_is_another_kind_of_secret_than_a_line() -> None:
    [ref] = DocumentRefs.parse("file:/key.pem")
    assert (ref.document, str(ref)) == (True, "file:/key.pem")
    assert ref != SecretRefs.parse("file:/key.pem")[0]


def test_only_a_document_may_have_several_lines() -> None:
    raw = b"first line\r\n\tsecond line\n"
    assert parse_secret(raw, document=True).reveal() == "first line\r\n\tsecond line"
    with pytest.raises(ValueError, match="control character"):
        parse_secret(raw)
    with pytest.raises(ValueError, match="control character"):
        parse_secret(b"a\0b", document=True)


def test_an_editor_is_told_the_same_rule() -> None:
    one, several = Settings.model_json_schema()["properties"]["key"]["anyOf"]
    assert one["pattern"] == "^(env:[A-Za-z0-9_]+|file:/.+|exec:/.+)$"
    assert (several["items"], several["maxItems"]) == (one, 2)


def test_a_reference_stays_what_it_is_and_can_be_a_key() -> None:
    ref = SecretRef("env", "KEY")
    with pytest.raises(dataclasses.FrozenInstanceError):
        ref.name = "OTHER"  # type: ignore[misc]  # that it can't be set is the point
    assert {ref: 1}[SecretRef.parse("env:KEY")] == 1


def test_a_new_slot_is_empty_and_says_so() -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    assert (slot.secret, slot.generation, slot.problem) == (None, 0, "not read yet")


def test_a_slot_counts_changes_and_forgets_its_problem() -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    seen = []
    for value in ["a", "a", "b", "a"]:
        slot.problem = "is empty"
        seen.append((slot.put(Secret(value)), slot.generation, slot.problem))
    assert seen == [(True, 1, ""), (False, 1, ""), (True, 2, ""), (True, 3, "")]
    assert slot.secret is not None
    assert slot.secret.reveal() == "a"


def test_the_same_value_again_leaves_the_secret_in_place() -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    first = Secret(VALUE)
    slot.put(first)
    slot.put(Secret(VALUE))
    assert slot.secret is first


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"sk_test_example", "sk_test_example"),
        (b"sk_test_example\n", "sk_test_example"),
        (b"sk_test_example\r\n", "sk_test_example"),
        (b" spaces stay ", " spaces stay "),
        (b" ~\n", " ~"),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_one_final_newline_is_not_part_of_the_secret(raw: bytes, value: str) -> None:
    assert parse_secret(raw).reveal() == value


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n"])
def test_nothing_is_no_secret(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"^is empty$"):
        parse_secret(raw)


@pytest.mark.parametrize("end", [b"\n\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\r\n", b"\t", b"\0", b"\0\n"])
def test_any_other_ending_is_refused(end: bytes) -> None:
    with pytest.raises(ValueError, match="only one final newline is allowed"):
        parse_secret(VALUE.encode() + end)


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
@pytest.mark.parametrize("place", ["{0}sk_test_example", "sk_test{0}_example", "sk_test{0}~\n"])
def test_no_control_character_can_split_a_header(place: str, code: int) -> None:
    with pytest.raises(ValueError, match="holds a control character") as caught:
        parse_secret(place.format(chr(code)).encode())
    assert "sk_test" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"sk_test_\xff", b"\xfe\xff\0s", b"sk_test_\xc3", b"\xed\xa0\x80"])
def test_what_is_not_utf_8_is_refused_without_being_shown(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"^is not UTF-8 text$") as caught:
        parse_secret(raw)
    assert not isinstance(caught.value, UnicodeDecodeError)  # that one holds all the bytes
    assert "sk_test_" not in "".join(traceback.format_exception_only(caught.value))


@given(raw=st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_whatever_becomes_a_secret_fits_into_one_line(raw: bytes) -> None:
    try:
        value = parse_secret(raw).reveal()
    except ValueError:
        return
    assert value
    assert value.encode() in {raw, raw[:-1], raw[:-2]}
    assert not any(char < " " or char == "\x7f" for char in value)
