"""The credential policy on a refusal that comes at a bad moment."""

import asyncio
from dataclasses import replace

import pytest

from proxy.core.outcome import Outcome
from proxy.credentials import Bearer
from proxy.policies.credential import Credential
from tests.support.script import Script, ScriptedStream, make_call, make_reply, make_runtime
from tests.support.virtual import run


def test_an_old_secret_that_is_gone_stops_no_call_after_a_stray_refusal() -> None:
    provider = Script(make_reply(401, outcome=Outcome.UNAUTHORISED), 200)

    async def main() -> list[tuple[int, bool]]:
        config = Bearer.Config.model_validate({"scheme": "bearer", "token": ["env:NEW", "env:OLD"]})
        policy = Credential(provider, config, make_runtime(secrets={"env:NEW": "sk_test_new"}))
        replies = [await policy(make_call(method="POST")) for _ in range(2)]
        return [(reply.status, reply.renewed) for reply in replies]

    assert run(main()) == [(401, False), (200, False)]
    assert [call.headers for _, call in provider.sends] == [[(b"Authorization", b"Bearer sk_test_new")]] * 2


def test_a_refusal_whose_caller_leaves_during_the_reading_gives_its_body_up() -> None:
    stream = ScriptedStream(b"no")
    reply = make_reply(401, stream=stream, outcome=Outcome.UNAUTHORISED)
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "file:/token"})

    async def reread() -> None:
        await asyncio.sleep(60.0)

    async def main() -> None:
        runtime = replace(make_runtime(secrets={"file:/token": "sk_test_example"}), reread=reread)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Credential(Script(reply), config, runtime)(make_call()), 1.0)

    run(main())
    assert stream.aborted
