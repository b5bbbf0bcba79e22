"""What an operator's actions do to a running sidecar, and what they answer."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.core.errors import BadRequest
from tests.support.caller import run_on_uvloop
from tests.test_app import Running, running, until

HERE = "127.0.0.1"
MORE = """\
  stripe:
    base_url: http://127.0.0.1:9
    credential: {scheme: bearer, token: file:/nowhere/token}
    breaker: off
  several:
    base_url: http://127.0.0.1:9
    accounts: {eu: {credential: {scheme: bearer, token: file:/nowhere/eu}}, us: {}}
"""


def act(one: Running, action: str, **target: str) -> str:
    return one.app.control.act(action, target, HERE)


def refusal(one: Running, action: str, **target: str) -> str:
    with pytest.raises(BadRequest) as caught:
        act(one, action, **target)
    return caught.value.detail


def section(one: Running, name: str, provider: str = "mock") -> Any:
    return one.app.control.snapshots(one.app.control.now())[provider][name]


def acted(one: Running) -> Iterator[dict[str, Any]]:
    """Yield what the recent changes tell of actions."""
    changes = one.app.control.recent.changes
    for line in map(orjson.loads, changes.since(0, 200)):
        if line["event"] == "acted":
            yield {key: value for key, value in line.items() if value and key not in ("ts", "level", "event")}


def test_a_breaker_is_opened_closed_and_left_to_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            assert act(one, "breaker.open", provider="mock") == "the breaker of mock is open until breaker.auto"
            assert await one.status("/mock/anything") == 503
            assert act(one, "breaker.close", provider="mock") == (
                "the breaker of mock is closed, whatever its calls come to, until breaker.auto"
            )
            assert await one.status("/mock/anything") == 200
            assert act(one, "breaker.auto", provider="mock") == (
                "the breaker of mock decides by itself again: state closed, mode enforce"
            )
            assert section(one, "breaker")["state"] == "closed"

    run_on_uvloop(scenario())


def test_an_open_breaker_that_only_reports_is_told_as_what_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            act(one, "breaker.report", provider="mock")
            said = act(one, "breaker.open", provider="mock")
            assert said.endswith("but calls go through, because its mode is report")
            assert await one.status("/mock/anything") == 200
            assert act(one, "breaker.enforce", provider="mock").endswith("refuses what it must, until breaker.auto")
            assert await one.status("/mock/anything") == 503

    run_on_uvloop(scenario())


def test_overrides_outlast_a_reload_as_long_as_their_provider_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            for action in ("breaker.open", "rate_limit.report", "bulkhead.report"):
                act(one, action, provider="mock")
            one.write('base_url: "http://127.0.0.1:9", breaker: {failures: 9}, bulkhead: {in_flight: 3}')
            await one.app._reload()
            assert (section(one, "breaker")["forced"], section(one, "upstream")["origin"]) == (
                "open", "http://127.0.0.1:9",
            )  # fmt: skip
            assert [section(one, name)["mode"] for name in ("rate_limit", "bulkhead")] == ["report"] * 2
            metrics = one.app.control.metrics("")[0].decode()
            for name, state in (("breaker", "open"), ("rate_limit", "report"), ("bulkhead", "report")):
                assert f'override{{provider="mock",section="{name}",state="{state}"}} 1.0' in metrics
            one.write("breaker: off")
            await one.app._reload()
            one.write()
            await one.app._reload()
            assert "forced" not in section(one, "breaker")
            assert section(one, "rate_limit")["mode"] == "report"

    run_on_uvloop(scenario())


def test_an_account_is_held_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = Running(tmp_path)
        one.write(more=MORE)
        async with running(tmp_path) as one:
            one.write(more=MORE)
            await one.app._reload()
            said = act(one, "credential.report", provider="several", account="eu")
            assert said.startswith("the credential of several, account eu only reports")
            accounts = section(one, "accounts", "several")
            assert accounts["eu"]["credential"]["override"] == "report"
            assert act(one, "bulkhead.report", provider="several").startswith("the bulkhead of several only reports")
            gauge = (
                'tidegate_operator_override{account="eu",provider="several",section="credential",state="report"} 1.0'
            )
            assert gauge in one.app.control.metrics("")[0].decode()

    run_on_uvloop(scenario())


def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            one.write(more=MORE)
            await one.app._reload()
            unknown = refusal(one, "breaker.burn", provider="mock")
            assert unknown.startswith("no action 'breaker.burn'; there are reload, drain, log.level, breaker.auto, ")
            assert "credential.resume" in unknown
            there = "there are mock, stripe, several"
            assert refusal(one, "breaker.open") == f"name a provider; {there}"
            assert refusal(one, "breaker.open", provider="x" * 64) == f"no provider '{'x' * 64}'; {there}"
            # Half of a secret in the wrong field is a secret that no redactor knows.
            assert refusal(one, "breaker.open", provider="x" * 65) == f"no provider of 65 characters; {there}"
            assert refusal(one, "breaker.open", provider="stripe").startswith("stripe has no breaker in use; it has ")
            assert refusal(one, "breaker.open", provider="mock", account="eu") == (
                "no account 'eu'; mock has none; leave account out"
            )
            assert refusal(one, "breaker.open", provider="several", account="jp") == (
                "no account 'jp'; there are eu, us"
            )
            assert refusal(one, "bulkhead.auto", provider="several", account="eu") == (
                "the bulkhead of several serves all its accounts; leave account out"
            )
            assert (
                refusal(one, "breaker.open", provider="mock", value="1") == "breaker.open takes no value; leave it out"
            )
            assert refusal(one, "reload", provider="mock").startswith("reload concerns the whole process")
            assert refusal(one, "drain", value="now") == "drain takes no value; leave it out"

    run_on_uvloop(scenario())


def test_a_provider_whose_accounts_each_have_their_own_wants_one_named(tmp_path: Path) -> None:
    only_accounts = MORE.replace(", us: {}", "")

    async def scenario() -> None:
        async with running(tmp_path) as one:
            one.write(more=only_accounts)
            await one.app._reload()
            assert refusal(one, "breaker.open", provider="several") == (
                "the breaker of several is one for each account; name one of eu"
            )

    run_on_uvloop(scenario())


def test_every_action_is_told_with_who_and_what_and_nothing_made_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            act(one, "breaker.open", provider="mock")
            refusal(one, "sk_test_example", provider="sk_test_example", account="sk_test_example")
            act(one, "log.level", value="debug")
            one.app.control.refuse_action("10.0.0.9", "no token")
            told = list(acted(one))
            assert "sk_test_example" in told[1].pop("problem")  # as far as it is no known secret
            assert told == [
                {"provider": "mock", "action": "breaker.open", "result": "done", "peer": HERE},
                {"action": "unknown", "result": "failed", "peer": HERE},
                {"action": "log.level", "value": "debug", "result": "done", "peer": HERE},
                {"result": "refused", "peer": "10.0.0.9", "problem": "no token"},
            ]
            metrics = one.app.control.metrics("")[0].decode()
            for labels in ('action="breaker.open",result="done"', 'action="unknown",result="failed"',
                           'action="",result="refused"'):  # fmt: skip
                assert f"tidegate_admin_actions_total{{{labels}}} 1.0" in metrics

    run_on_uvloop(scenario())


def test_the_log_level_holds_over_a_reload_until_it_is_given_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            log: Any = one.app.control.state()
            assert log["log"]["level"] == "info"
            assert (
                act(one, "log.level", value="error")
                == "the log has error and above, until log.level with an empty value"
            )
            one.write("retry: off")
            await one.app._reload()
            await one.status("/mock/anything")
            one.app._observers.log.flush()
            log = one.app.control.state()
            assert log["log"]["level"] == "error"
            assert act(one, "log.level", value="") == "the log has info and above, as configured"
            assert refusal(one, "log.level", value="loud").startswith("no level 'loud'; there are debug, info, ")
            log = one.app.control.state()
            assert log["log"]["level"] == "info"

    run_on_uvloop(scenario())


def test_a_reload_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as one:
            before = one.reloads("loaded")
            assert act(one, "reload").startswith("the configuration is being read again; ")
            await until(lambda: one.reloads("loaded") == before + 1)

    run_on_uvloop(scenario())


def test_a_drain_ends_the_process_and_is_not_asked_for_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = Running(tmp_path)
        life = asyncio.ensure_future(one.app.run())
        await until(lambda: life.done() or (not one.app.control.readiness() and "ready on" in one.log.read_text()))
        slow = asyncio.ensure_future(one.status("/mock/delay/0.3"))
        await until(lambda: section(one, "bulkhead")["in_flight"] == 1)
        assert act(one, "drain").startswith("tidegate takes no more calls")
        await until(lambda: one.app.control.readiness() == ["draining"])
        for action in ("drain", "reload"):
            assert refusal(one, action) == "tidegate is going down already"
        assert (await slow, await life) == (200, 0)

    run_on_uvloop(scenario())
    assert signal.getsignal(signal.SIGTERM) is not None
