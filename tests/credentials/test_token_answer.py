import json
from typing import Any

import pytest

from proxy.credentials.token_answer import MOST_BYTES, Granted, GrantFailed, parse_granted, read_answer
from proxy.sansio.tokens import LIFE_MAX_S
from tests.support.script import WALL, ScriptedStream, make_reply
from tests.support.virtual import run


def parse(document: object, status: int = 200, token_key: str = "access_token") -> Granted:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_granted(status, body, token_key, 1234.0, WALL)


def failure(document: object, status: int = 400) -> GrantFailed:
    with pytest.raises(GrantFailed) as caught:
        parse(document, status)
    return caught.value


def test_a_token_its_life_and_the_next_refresh_token_are_read() -> None:
    answer = {"access_token": "tok_1", "token_type": "Bearer", "expires_in": 3599, "refresh_token": "ref_2"}
    assert parse(answer) == Granted("tok_1", 3599.0, "ref_2")


@pytest.mark.parametrize(
    ("told", "life_s"),
    [
        ({}, 1234.0),
        ({"expires_in": None}, 1234.0),
        ({"expires_in": "60"}, 60.0),
        ({"expires_in": 3_600_000_000}, LIFE_MAX_S),
        ({"expires_at": "2027-01-15T09:00:00Z"}, 3600.0),
        ({"expires_at": "soon"}, 1234.0),
        ({"expires_at": 5}, 1234.0),
    ],
)
def test_the_life_is_told_in_seconds_or_as_an_instant_or_not_at_all(told: dict[str, Any], life_s: float) -> None:
    assert parse({"access_token": "tok_1", **told}).life_s == life_s


def test_github_puts_its_token_under_another_key() -> None:
    assert parse({"token": "tok_1", "expires_at": "2027-01-15T08:10:00Z"}, 201, "token") == Granted("tok_1", 600.0, "")


@pytest.mark.parametrize("text", ["a b", "a\r\nX-Evil: 1", "tök", "a\x00"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(text: str) -> None:
    problem = failure({"access_token": text}, 200).problem
    assert problem == "the token endpoint gave a token that no header can carry"


@pytest.mark.parametrize("told", [{"expires_in": 0}, {"expires_in": -5}, {"expires_in": "soon"}, {"expires_in": []}])
def test_a_token_that_is_over_already_is_none(told: dict[str, Any]) -> None:
    assert failure({"access_token": "tok_1", **told}, 200).problem.startswith("the token endpoint ")


@pytest.mark.parametrize("at", ["2027-01-15T07:59:59Z", "2027-01-15T08:00:00Z"])
def test_an_instant_that_has_passed_is_no_life(at: str) -> None:
    assert "over already" in failure({"access_token": "tok_1", "expires_at": at}, 200).problem


@pytest.mark.parametrize(
    ("status", "document", "refused", "told"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "ref_1 is unknown"},
            True,
            "answered 400 (invalid_grant)",
        ),
        (401, {"error": "invalid_client"}, True, "answered 401 (invalid_client)"),
        (200, {"error": "bad_refresh_token"}, True, "answered 200 (bad_refresh_token)"),
        (200, {}, True, "answered 200 without a token"),
        (200, b"access_token=tok_1", True, "answered 200 without a token"),
        (302, b"", True, "answered 302"),
        (404, b"<html>", True, "answered 404"),
        (400, {"error": "temporarily_unavailable"}, False, "answered 400 (temporarily_unavailable)"),
        (429, b"", False, "answered 429"),
        (503, {"access_token": "tok_1"}, False, "answered 503"),
    ],
)
def test_an_answer_without_a_token_is_a_refusal_or_a_disturbance(
    status: int, document: object, refused: bool, told: str
) -> None:
    error = failure(document, status)
    assert error.refused is refused
    assert error.problem.partition(";")[0] == f"the token endpoint {told}"


@pytest.mark.parametrize(
    "word", ["client secret sk_test_1 is wrong", "SK1", "a" * 41, "a" * 5000, 5, {"code": "x"}, "_", "", "a\nb", "k3y"]
)
def test_what_is_no_plain_word_is_never_told(word: object) -> None:
    assert (
        failure({"error": word}).problem
        == "the token endpoint answered 400; check the credential's settings and secrets"
    )


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"5", b"{", b"\xff", b'{"access_token": 5}', b'{"access_token": ""}']
)
def test_junk_is_no_token(body: bytes) -> None:
    assert failure(body, 200).refused


def test_a_body_in_pieces_is_read_to_its_end() -> None:
    reply = make_reply(200, body=b"", stream=ScriptedStream(b"ab", b"cd"))
    assert run(read_answer(reply)) == b"abcd"


def test_a_body_beyond_reason_is_given_up() -> None:
    stream = ScriptedStream(*[b"x" * 10_000] * 8)
    with pytest.raises(GrantFailed, match="64 KiB"):
        run(read_answer(make_reply(200, stream=stream)))
    assert stream.aborted


def test_a_whole_body_beyond_reason_is_given_up_too() -> None:
    with pytest.raises(GrantFailed, match="64 KiB"):
        run(read_answer(make_reply(200, body=b"x" * (MOST_BYTES + 1))))
