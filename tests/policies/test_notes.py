"""What the policies note about a call that was held up, repeated or refused; a plain call has no notes."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from proxy.core.call import Call, WholeBody
from proxy.core.errors import CircuitOpen, TidegateError
from proxy.core.outcome import Outcome
from proxy.credentials import Bearer
from proxy.policies.breaker import Breaker
from proxy.policies.bulkhead import Bulkhead
from proxy.policies.credential import Credential
from proxy.policies.rate_limit import RateLimit
from proxy.policies.retry import Retry
from tests.support.play import Play
from tests.support.script import Script, Step, after, make_call, make_reply, make_runtime
from tests.support.virtual import run


class SpentBody(WholeBody):
    def can_replay(self) -> bool:
        return False


def notes(call: Call) -> list[str]:
    return [f"{note.at_s:.3f} {note.section}: {note.text}" for note in call.record.notes]


def impatient() -> Call:
    call = make_call()
    call.deadline_at = call.record.started_at + 0.5
    return call


def forbidding() -> Call:
    call = make_call()
    call.retry = False
    return call


@pytest.mark.parametrize(
    ("steps", "make", "config", "told"),
    [
        ([503], make_call, {}, "not sent again: attempt 3 was the last of retry.attempts"),
        ([503], lambda: make_call("POST"), {}, "POST may act twice, and no idempotency key prevents that"),
        ([503], forbidding, {}, "the caller wrote Tidegate-Retry: off"),
        ([503], lambda: make_call("PUT", body=SpentBody(b"")), {}, "its body was not kept, being larger than"),
        ([make_reply(503, {"Retry-After": "90"})], make_call, {}, "would be 90.000 s, and retry.max_wait is 60 s"),
        ([make_reply(429)], impatient, {}, "would be 0.500 s, and the deadline is 0.500 s away"),
        ([503], make_call, {"budget": {"capacity": 3}}, "it costs 14 tokens, and retry.budget has 3.0 left"),
    ],
)
def test_why_a_call_was_not_sent_again(
    steps: list[Step], make: Callable[[], Call], config: dict[str, object], told: str
) -> None:
    play = Play(*steps, call=make(), **config)
    assert told in notes(play.call)[-1]
    assert [note.section for note in play.call.record.notes] == ["retry"]


def test_an_answer_that_another_attempt_would_not_change_needs_no_note() -> None:
    assert notes(Play(404).call) == []
    assert notes(Play(200).call) == []
    assert notes(Play(503, 200).call) == []


def test_an_attempt_that_is_refused_here_does_not_hide_why_the_answer_before_it_is_given() -> None:
    play = Play(503, CircuitOpen("the provider has been failing", retry_after_s=3.0))
    assert play.status == 503
    assert (
        "attempt 2 was refused here: the provider has been failing; this is the answer before it" in notes(play.call)[0]
    )


async def through(policy: Breaker | Bulkhead | RateLimit | Credential, call: Call | None = None) -> list[str]:
    call = call or make_call()
    with contextlib.suppress(TidegateError):
        await policy(call)
    return notes(call)


def test_a_probe_says_that_it_is_one_and_report_mode_what_it_let_through() -> None:
    async def main(mode: str) -> list[list[str]]:
        config = Breaker.Config.model_validate({"failures": 1, "mode": mode})
        policy = Breaker(Script(503, 200), config, make_runtime())
        first = await through(policy)
        await asyncio.sleep(4.0)
        refused = await through(policy)
        await asyncio.sleep(2.0)
        return [first, refused, await through(policy)]

    probe = ["0.000 breaker: a probe: shows whether the provider is well again"]
    assert run(main("enforce")) == [[], [], probe]
    let_through = ["0.000 breaker: open for 1.000 s more; let through, because mode is report"]
    assert run(main("report")) == [[], let_through, probe]


def test_a_wait_for_a_place_in_flight_is_told_with_its_length() -> None:
    async def main(mode: str) -> list[list[str]]:
        config = Bulkhead.Config.model_validate({"in_flight": 1, "queue": 1 if mode == "enforce" else 0, "mode": mode})
        policy = Bulkhead(Script(after(0.2, 200)), config, make_runtime())
        return list(await asyncio.gather(through(policy), through(policy)))

    assert run(main("enforce")) == [[], ["0.200 bulkhead: waited 0.200 s for one of 1 places in flight"]]
    full = "0.000 bulkhead: no place in flight or in the queue; let through, because mode is report"
    assert run(main("report")) == [[], [full]]


def test_a_wait_for_a_token_names_the_limit() -> None:
    async def main() -> list[list[str]]:
        config = RateLimit.Config.model_validate({"limits": ["9/8100ms", "1000/1s"], "max_wait": "10s"})
        policy = RateLimit(Script(200), config, make_runtime())
        return await asyncio.gather(*(through(policy) for _ in range(3)))

    assert run(main()) == [
        [],
        ["1.000 rate_limit: waited 1.000 s for the limit 9/8.1s; 0 calls were before it"],
        ["2.000 rate_limit: waited 2.000 s for the limit 9/8.1s; 1 calls were before it"],
    ]


def test_a_pause_is_told_by_the_call_that_brought_it_and_by_the_one_that_waited_for_its_end() -> None:
    async def main() -> list[list[str]]:
        policy = RateLimit(Script(make_reply(429, {"Retry-After": "1"}), 200), RateLimit.Config(), make_runtime())
        return [await through(policy), await through(policy)]

    assert run(main()) == [
        ["0.000 rate_limit: all calls pause for 1.000 s from here on, as the answer asks"],
        ["1.000 rate_limit: waited 1.000 s for the provider's pause; 0 calls were before it"],
    ]


def test_a_refusal_without_a_time_and_a_used_up_quota_tell_how_long_calls_are_held() -> None:
    async def main(step: Step) -> list[str]:
        return await through(RateLimit(Script(step), RateLimit.Config(), make_runtime()))

    unhinted = "for 5.000 s from here on, by rate_limit.unhinted_pause, as the answer names no time"
    assert unhinted in run(main(429))[0]
    exhausted = make_reply(403, {"Retry-After": "120"}, outcome=Outcome.EXHAUSTED)
    held = "0.000 rate_limit: the quota is used up: calls are held for 120 s from here on, then one finds out"
    assert run(main(exhausted)) == [held]


def test_a_limit_in_report_mode_tells_what_it_would_have_said() -> None:
    async def main() -> list[list[str]]:
        config = RateLimit.Config.model_validate({"limits": ["1/10s"], "max_wait": "0s", "mode": "report"})
        policy = RateLimit(Script(200), config, make_runtime())
        return [await through(policy), await through(policy)]

    plain, told = run(main())
    assert plain == []
    assert told[0].endswith(
        "the configured rate limit has no room; a call can go in 11.111 s; let through, because mode is report"
    )


def bearer(*answers: Step, reread: bool = False, mode: str = "enforce", refs: list[str]) -> Credential:
    config = Bearer.Config.model_validate(
        {"scheme": "bearer", "token": refs if len(refs) > 1 else refs[0], "mode": mode}
    )
    runtime = make_runtime(secrets=dict.fromkeys(refs, "sk_test_example"))
    slot = runtime.secret(config.token[0])

    async def replaced() -> None:
        slot.generation += 1

    return Credential(Script(*answers), config, replace(runtime, reread=replaced) if reread else runtime)


REFUSED = make_reply(401, outcome=Outcome.UNAUTHORISED)


def test_a_refused_credential_is_told_with_what_the_next_attempt_would_carry() -> None:
    async def main(policy: Credential) -> list[str]:
        return await through(policy)

    alone = run(main(bearer(REFUSED, refs=["env:KEY"])))
    assert alone == ["0.000 credential: the provider refused the credential; there is no other to send"]
    read = run(main(bearer(REFUSED, refs=["file:/key"], reread=True)))
    assert read == ["0.000 credential: the provider refused the credential; it has been replaced meanwhile"]
    two = run(main(bearer(REFUSED, refs=["env:NEW", "env:OLD"])))
    assert two == ["0.000 credential: the provider refused the new credential; the old credential is there too"]


def test_a_call_that_carries_the_old_credential_says_so() -> None:
    async def main() -> list[list[str]]:
        policy = bearer(REFUSED, 200, refs=["env:NEW", "env:OLD"])
        return [await through(policy, make_call("POST")) for _ in range(2)]

    assert run(main())[1] == ["0.000 credential: the old credential is sent: the new one was refused, or can't be read"]


def test_a_held_credential_that_is_sent_in_report_mode_says_so() -> None:
    async def main() -> list[list[str]]:
        policy = bearer(REFUSED, refs=["env:KEY"], mode="report")
        return [await through(policy) for _ in range(6)]

    told = run(main())[-1]
    assert told[0] == "0.000 credential: refused again and again, and held for 15 s; sent, because mode is report"


def test_retry_keeps_the_attempts_before_the_last() -> None:
    play = Play(after(0.2, 503), after(0.1, 200))
    assert [(one.status, one.cause, one.wait_s) for one in play.call.record.earlier] == [(503, "503", 0.025)]
    assert isinstance(play.policy, Retry)
