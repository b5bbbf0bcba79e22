"""No request is read differently behind the sidecar than in front of it (CWE-444; RFC 9112 section 11.2)."""

import random
from collections.abc import Iterator
from typing import Final

import pytest

from tests.security import lines, payloads
from tests.security.oracle import check_forwarded, check_head
from tests.security.payloads import Payload
from tests.security.played import Seen, judge, play_all

pytestmark = [pytest.mark.security]


def every() -> Iterator[Payload]:
    for group in (*payloads.GROUPS, *lines.GROUPS):
        kind = group.__name__.strip("_")
        for number, one in enumerate(group()):
            yield Payload(f"{kind}-{number}-{one.name}", one.data, one.requests, one.fine)


PAYLOADS: Final = list(every())


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Seen | BaseException]:
    return dict(zip((payload.name for payload in PAYLOADS), play_all(PAYLOADS), strict=True))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)
def test_a_payload_is_refused_or_becomes_requests_that_all_read_alike(
    payload: Payload, outcomes: dict[str, Seen | BaseException]
) -> None:
    seen = outcomes[payload.name]
    assert judge(seen) <= payload.requests
    if payload.fine and isinstance(seen, Seen):
        assert seen.said[0].status == 200


def test_there_are_many_payloads_of_different_names() -> None:
    assert len({payload.name for payload in PAYLOADS}) == len(PAYLOADS) > 400


def test_a_good_request_passes_and_two_are_two(outcomes: dict[str, Seen | BaseException]) -> None:
    fine = [outcomes[payload.name] for payload in PAYLOADS if payload.fine]
    assert all(isinstance(seen, Seen) and len(seen.said) == len(seen.forwarded) == 2 for seen in fine)


BAD_HEADS: Final = [
    b"GET /x HTTP/1.0\r\nHost: h", b"get /x HTTP/1.1\r\nHost: h", b"GET http://h/ HTTP/1.1\r\nHost: h",
    b"GET /x HTTP/1.1", b"GET /x HTTP/1.1\r\nHost: h\r\nHost: h", b"GET /x HTTP/1.1\r\nHost: h\r\nX : 1",
    b"GET /x HTTP/1.1\r\nHost: h\r\nX: a\r\n fold: 1", b"GET /x HTTP/1.1\r\nHost: h\r\nX: a\nY: 1",
    b"GET /x HTTP/1.1\r\nHost: h\r\nX: a\x00", b"GET /x HTTP/1.1\r\nHost: h\r\nContent_Length: 1",
    b"GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
    b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close",
]  # fmt: skip


@pytest.mark.parametrize("head", BAD_HEADS)
def test_the_judge_finds_a_bad_head(head: bytes) -> None:
    with pytest.raises(AssertionError):
        check_head(head, b"h")


def test_the_judge_finds_a_second_request() -> None:
    one = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
    assert check_forwarded(one, b"h")
    with pytest.raises(AssertionError):
        check_forwarded(one + one, b"h")


TOKENS: Final = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b"_", b"\x00", b"\x0b", b"\xff", b"0\r\n\r\n", b"5\r\n",
    b"chunked",
    b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: localhost\r\n", b"Connection: close\r\n",
    b"Upgrade: x\r\n",
    b"GET /up/y HTTP/1.1\r\n", b"Expect: 100-continue\r\n",
]  # fmt: skip
GOOD: Final = [payload.data for payload in PAYLOADS if payload.fine and len(payload.data) < 3000]


def mutant(dice: random.Random) -> bytes:
    """Spoil a good payload in one to three places: insert, delete, replace, splice with another, swap lines."""
    data = bytearray(dice.choice(GOOD))
    for _ in range(dice.randint(1, 3)):
        place, kind = dice.randrange(len(data) + 1), dice.randrange(5)
        if kind == 0:
            data[place:place] = dice.choice(TOKENS)
        elif kind == 1:
            del data[place : place + dice.randint(1, 4)]
        elif kind == 2:
            data[place : place + 1] = bytes([dice.randrange(256)])
        elif kind == 3:
            other = dice.choice(PAYLOADS).data
            start = dice.randrange(len(other))
            data[place:place] = other[start : start + dice.randint(1, 60)]
        else:
            rows = bytes(data).split(b"\r\n")
            one, two = dice.randrange(len(rows)), dice.randrange(len(rows))
            rows[one], rows[two] = rows[two], rows[one]
            data = bytearray(b"\r\n".join(rows))
    return bytes(data)


def test_good_requests_that_were_spoilt_fare_no_better() -> None:
    dice = random.Random(20261120)
    mutants = [Payload(f"mutant {number}", mutant(dice)) for number in range(200)]
    sent_on = [judge(seen) for seen in play_all(mutants)]
    assert sum(sent_on) > 20  # some are still requests, or else the test would show little
