import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.call import Call, Reply
from proxy.core.errors import CredentialMissing, DeadlineExceeded, TokenUnavailable
from proxy.core.events import TokenFetched
from proxy.core.secret import Secret
from proxy.credentials.tokens import FETCH_S
from proxy.sansio.tokens import FORCED_GAP_S
from tests.support.script import WALL, ScriptedStream, Step, after, make_call, make_reply
from tests.support.tokens import SECRET, Place, numbered, settled, token
from tests.support.virtual import START, run


def test_a_thousand_calls_that_wait_make_one_fetch() -> None:
    place = Place(after(1.0, numbered()))

    async def scenario() -> None:
        assert await asyncio.gather(*[place.token() for _ in range(1000)]) == ["tok_1"] * 1000

    run(scenario())
    [(_, call)] = place.endpoint.sends
    assert (call.method, call.target, call.provider) == ("POST", b"/token", "acme")
    assert parse_qs((call.body.whole or b"").decode())["client_secret"] == [SECRET]
    assert call.deadline_at == pytest.approx(START + FETCH_S)
    assert place.events == [TokenFetched("acme", "", "fetched", 3600.0)]
    assert place.protected == ["tok_1"]


def test_a_call_that_waited_for_a_token_says_for_how_long() -> None:
    place = Place(after(1.0, numbered()))

    async def scenario() -> list[list[str]]:
        calls = [make_call(), make_call()]
        for call in calls:
            await place.source.ready(call)
        return [[f"{note.section}: {note.text}" for note in call.record.notes] for call in calls]

    assert run(scenario()) == [["credential: waited 1.000 s for an access token"], []]


def test_the_endpoint_is_told_whether_a_request_may_be_sent_again() -> None:
    [(url, profile)] = Place(200).asked
    assert (url, [one.path for one in profile.repeatable]) == ("https://auth.example.com", ["/*"])
    [(_, once)] = Place(200, grant="refresh_token", client_id="a", refresh_token="env:KEY").asked
    assert once.repeatable == ()


def test_a_token_is_renewed_in_the_background_while_calls_go_on_with_it() -> None:
    place = Place(numbered(), after(5.0, numbered()))

    async def scenario() -> list[str]:
        seen = [await place.token()]
        await asyncio.sleep(3300)
        began_at = asyncio.get_running_loop().time()
        seen += [await place.token() for _ in range(10)]
        assert asyncio.get_running_loop().time() - began_at < 0.001
        await settled()
        return [*seen, await place.token(), str(place.fetches)]

    assert run(scenario()) == ["tok_1"] * 11 + ["tok_1", "2"]


def test_a_waiting_call_is_bound_by_its_own_deadline_and_the_fetch_goes_on() -> None:
    place = Place(after(5.0, numbered()))

    async def scenario() -> None:
        patient = asyncio.create_task(place.token())
        with pytest.raises(DeadlineExceeded, match="access token"):
            await place.token(deadline_s=2.0)
        assert asyncio.get_running_loop().time() == pytest.approx(START + 2.0)
        assert await patient == "tok_1"

    run(scenario())
    assert place.fetches == 1


def test_a_caller_that_leaves_takes_nobodys_fetch_along() -> None:
    place = Place(after(5.0, numbered()))

    async def scenario() -> None:
        first, second = asyncio.create_task(place.token()), asyncio.create_task(place.token())
        await asyncio.sleep(1)
        first.cancel()
        assert await second == "tok_1"
        assert first.cancelled()

    run(scenario())
    assert place.fetches == 1


def test_a_changed_secret_is_used_at_once() -> None:
    place = Place(numbered())

    async def scenario() -> list[str]:
        first = await place.token()
        place.slot.put(Secret("sk_test_other"))
        return [first, await place.token(), await place.token()]

    assert run(scenario()) == ["tok_1", "tok_2", "tok_2"]
    assert b"sk_test_other" in (place.endpoint.sends[1][1].body.whole or b"")


def test_without_its_secret_nothing_is_asked_until_it_is_there() -> None:
    place = Place(numbered(), secret=None)

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(CredentialMissing, match="env:KEY"):
                await place.token()
        assert place.fetches == 0
        place.slot.put(Secret(SECRET))
        assert await place.token() == "tok_1"

    run(scenario())


def test_a_refused_token_is_replaced_once() -> None:
    place = Place(numbered())

    async def scenario() -> list[object]:
        seen: list[object] = [await place.token(), place.source.rejected(), place.source.good(), await place.token()]
        seen += [place.source.rejected(), await place.token()]
        await asyncio.sleep(FORCED_GAP_S)
        return [*seen, place.source.rejected(), await place.token()]

    assert run(scenario()) == ["tok_1", True, False, "tok_2", False, "tok_2", True, "tok_3"]


def test_an_answer_that_comes_in_pieces_is_read() -> None:
    stream = ScriptedStream(b'{"access_to', b'ken":"tok_1"}')
    assert run(Place(make_reply(200, stream=stream)).token()) == "tok_1"


def test_the_snapshot_tells_when_the_token_ends_and_what_went_wrong() -> None:
    place = Place(503, numbered(600))

    async def scenario() -> list[dict[str, object]]:
        with pytest.raises(TokenUnavailable):
            await place.token()
        failed = place.source.snapshot()
        await asyncio.sleep(2)
        await place.token()
        return [failed, place.source.snapshot()]

    failed, good = run(scenario())
    assert failed == {"token": "none", "token_problem": "no access token: the token endpoint answered 503"}
    assert good.pop("expires_ts") == pytest.approx(WALL + START + 602, abs=0.01)
    assert good == {"token": "good", "token_problem": ""}


@pytest.mark.parametrize("persist", [True, False])
def test_a_refresh_token_that_the_endpoint_replaces_is_used_next(tmp_path: Path, persist: bool) -> None:
    def answers() -> list[Step]:
        return [token("tok_1", refresh_token="ref_2"), token("tok_2", refresh_token="ref_3"), token("tok_3")]

    path = {"persist": str(tmp_path / "refresh")} if persist else {}
    settings = {"grant": "refresh_token", "client_id": "app", "refresh_token": "env:KEY", **path}
    place, later = Place(*answers(), **settings), Place(numbered(), **settings)

    async def scenario() -> None:
        for _ in range(3):
            await place.token()
            place.skipped_s += 4000.0
        await later.token()

    asyncio.run(scenario())
    assert [used(call) for _, call in place.endpoint.sends] == [SECRET, "ref_2", "ref_3"]
    assert used(later.endpoint.sends[0][1]) == ("ref_3" if persist else SECRET)
    assert {"ref_2", "ref_3"} < set(place.protected)
    assert ("ref_3" in later.protected) is persist


def test_no_two_sources_that_share_a_file_send_the_same_refresh_token(tmp_path: Path) -> None:
    settings = {
        "grant": "refresh_token",
        "client_id": "app",
        "refresh_token": "env:KEY",
        "persist": str(tmp_path / "f"),
    }

    async def slow(_: Call) -> Reply:
        await asyncio.sleep(0.01)
        return token("tok_1", refresh_token="ref_2")

    one, other = Place(slow, **settings), Place(token("tok_2", refresh_token="ref_3"), **settings)

    async def scenario() -> None:
        await asyncio.gather(one.token(), other.token())

    asyncio.run(scenario())
    assert [used(place.endpoint.sends[0][1]) for place in (one, other)] == [SECRET, "ref_2"]


def used(call: Call) -> str:
    return parse_qs((call.body.whole or b"").decode())["refresh_token"][0]


def test_a_refresh_token_that_can_not_be_written_down_is_told_and_the_access_token_used(tmp_path: Path) -> None:
    place = Place(
        token("tok_1", refresh_token="ref_2"), grant="refresh_token", client_id="app", refresh_token="env:KEY",
        persist=str(tmp_path / "nowhere" / "refresh"),
    )  # fmt: skip
    assert asyncio.run(place.token()) == "tok_1"
    [event] = place.events
    assert isinstance(event, TokenFetched)
    assert (event.result, "can't be written" in event.problem) == ("fetched", True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["token", "fail", "refuse"]), st.floats(0.5, 600.0), st.floats(0.0, 20.0)),
        min_size=1, max_size=8,
    ),
    st.lists(st.floats(0.0, 400.0), min_size=1, max_size=30),
)  # fmt: skip
def test_a_token_past_its_end_is_never_sent(answers: list[tuple[str, float, float]], waits: list[float]) -> None:
    ends: dict[str, float] = {}

    def step(number: int, kind: str, lives_s: float, takes_s: float) -> Callable[[Call], Awaitable[Reply]]:
        async def answer(_: Call) -> Reply:
            made_at = asyncio.get_running_loop().time()
            await asyncio.sleep(takes_s)
            if kind == "token":
                ends[f"tok_{number}"] = made_at + lives_s
                return token(f"tok_{number}", lives_s)
            return make_reply(503 if kind == "fail" else 400)

        return answer

    place = Place(*[step(number, *answer) for number, answer in enumerate(answers)])

    async def scenario() -> None:
        for wait in waits:
            await asyncio.sleep(wait)
            try:
                text = await place.token(deadline_s=30.0)
            except (TokenUnavailable, DeadlineExceeded):
                continue
            assert asyncio.get_running_loop().time() < ends[text]
        await settled()

    run(scenario())
