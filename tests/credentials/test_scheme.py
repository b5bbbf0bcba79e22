import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.core.call import Body
from proxy.core.errors import BodyTooLarge, CredentialMissing, DeadlineExceeded
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.scheme import FieldName, Prefix, reveal, strip_query, whole_body
from tests.support.schemes import call_of
from tests.support.virtual import START, run


@pytest.mark.parametrize(
    ("target", "keys", "left"),
    [
        (b"/v1/things", [b"key"], b"/v1/things"),
        (b"/v1?key=a", [b"key"], b"/v1"),
        (b"/v1?key", [b"key"], b"/v1"),
        (b"/v1?a=1&key=x&b=2", [b"key"], b"/v1?a=1&b=2"),
        (b"/v1?key=x&a=1&key=y&key=", [b"key"], b"/v1?a=1"),
        (b"/v1?%6bey=x&k%65y=y&a=%7e+%zz", [b"key"], b"/v1?a=%7e+%zz"),
        (b"/v1?api+key=x&api%20key=y&a", [b"api key"], b"/v1?a"),
        (b"/v1?KEY=x&keys=y&akey=z", [b"key"], b"/v1?KEY=x&keys=y&akey=z"),
        (b"/v1?a=key&&b=?key=1&", [b"key"], b"/v1?a=key&&b=?key=1&"),
        (b"/v1?&&key=1", [b"key"], b"/v1?&"),
        (b"/v2/publish/https://a.example/?key=1", [b"key"], b"/v2/publish/https://a.example/"),
        (b"/v1?a=1&_token=x&key=y", [b"key", b"_token"], b"/v1?a=1"),
    ],
)
def test_only_pairs_of_the_given_keys_leave_the_query(target: bytes, keys: list[bytes], left: bytes) -> None:
    assert strip_query(target, frozenset(keys)) == left


def test_a_target_without_such_a_key_comes_back_itself() -> None:
    target = b"/v1?a=1&b=%2F"
    assert strip_query(target, frozenset([b"key"])) is target


@pytest.mark.parametrize("name", ["X-Api-Key", "authorization", "x_api.key"])
def test_a_header_name_that_is_a_token_is_taken_as_written(name: str) -> None:
    assert TypeAdapter(FieldName).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "X Api", "X-Api:", "X\r\nA", "Schlüssel", "Host", "transfer_encoding", "TE"])
def test_a_header_that_is_none_or_that_frames_the_message_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FieldName).validate_python(name)


@pytest.mark.parametrize("prefix", ["", " Bearer", "Bearer ", "a\r\nb", "é"])
def test_a_prefix_that_could_not_stand_in_a_header_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Prefix).validate_python(prefix)


def test_a_loaded_slot_opens() -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    slot.put(Secret("sk_test_example"))
    assert reveal(slot) == "sk_test_example"


@pytest.mark.parametrize(
    ("ref", "todo"),
    [
        (SecretRef("env", "KEY"), "the secret env:KEY is missing (gone): set the variable and start tidegate again"),
        (
            SecretRef("file", "/etc/key"),
            "the secret file:/etc/key is missing (gone): put the secret there, it is picked up within seconds",
        ),
    ],
)
def test_an_empty_slot_says_which_secret_is_missing_and_what_to_do(ref: SecretRef, todo: str) -> None:
    with pytest.raises(CredentialMissing) as caught:
        reveal(SecretSlot(ref, problem="gone"))
    assert caught.value.detail == todo


class Dripping(Body):
    """A body of so many bytes, one in 20 s."""

    whole = None

    def __init__(self, size: int, length: int | None = None) -> None:
        self.length = length
        self._size = size

    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(self._size):
            await asyncio.sleep(20.0)
            yield b"x"

    def can_replay(self) -> bool:
        return True


def test_a_body_is_read_whole_once_and_the_wait_is_the_callers() -> None:
    call, asked = call_of(body=Dripping(3)), list[bool]()
    call.on_continue = lambda: asked.append(True)
    assert [run(whole_body(call, 3)) for _ in range(2)] == [b"xxx"] * 2
    assert (call.body.whole, call.body.length, asked) == (b"xxx", None, [True])
    assert round(call.record.receive_s, 3) == 60.0


def test_a_caller_that_drips_has_until_the_deadline() -> None:
    call = call_of(body=Dripping(1000))
    call.deadline_at = START + 90.0
    with pytest.raises(DeadlineExceeded):
        run(whole_body(call, 1000))
    assert round(call.record.receive_s, 3) == 90.0


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_is_asked_for() -> None:
    call, asked = call_of(body=Dripping(11, length=11)), list[bool]()
    call.on_continue = lambda: asked.append(True)
    with pytest.raises(BodyTooLarge, match="10 bytes at most"):
        run(whole_body(call, 10))
    assert asked == []


def test_a_body_of_no_length_is_refused_once_it_is_too_large() -> None:
    call = call_of(body=Dripping(1000))
    with pytest.raises(BodyTooLarge, match="10 bytes at most"):
        run(whole_body(call, 10))
    assert round(call.record.receive_s, 3) == 220.0
