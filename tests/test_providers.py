from pathlib import Path
from typing import Any

import pytest

from proxy.addresses import parse_base_url
from proxy.core.call import Reply
from proxy.core.errors import CircuitOpen, CredentialMissing, ProviderPaused, RateLimited
from proxy.edge.secrets import Secrets
from proxy.providers import Providers
from proxy.settings import Settings
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.wire import HOLD, Script, Wire, reply

BREAKER = {"failures": 2, "open": "60s"}


class Configured:
    """Live providers over a dictionary of entries; every entry's secrets come from `environ`."""

    def __init__(self, environ: dict[str, str] | None = None, builtin: str = "http://127.0.0.1:9") -> None:
        secrets = Secrets(lambda _: None, environ or {})
        self.live = Providers(secrets, lambda _: None, lambda: parse_base_url(builtin))

    def update(self, **entries: dict[str, Any]) -> None:
        plain = {name: {"retry": False, **entry} for name, entry in entries.items()}
        self.live.update(Settings.model_validate({"providers": plain}).providers)

    async def ask(self, name: str, method: str = "GET", account: str | None = None) -> Reply:
        call = make_call(method, provider=name)
        call.account = account
        return await self.live.routes[name].handler(call)

    def snapshot(self, name: str, section: str) -> Any:
        return self.live.snapshots(0.0)[name][section]


def test_a_provider_is_reached_through_its_route() -> None:
    async def scenario() -> None:
        async with Wire(reply(200, b"hi")) as wire:
            providers = Configured({"KEY": "sk_test_example"})
            providers.update(acme={"base_url": wire.url, "credential": {"scheme": "bearer", "token": "env:KEY"}})
            answer = await providers.ask("acme")
            assert (answer.status, answer.body) == (200, b"hi")
            assert (b"Authorization", b"Bearer sk_test_example") in wire.requests[0].fields
            providers.live.close()

    run_on_uvloop(scenario())


def test_an_unchanged_provider_keeps_breaker_and_connections_over_an_update() -> None:
    async def scenario() -> None:
        async with Wire(reply(500)) as wire:
            providers, entry = Configured(), {"base_url": wire.url, "breaker": BREAKER}
            providers.update(acme=entry)
            assert [(await providers.ask("acme")).status for _ in range(2)] == [500, 500]
            route = providers.live.routes["acme"]
            providers.update(acme=dict(entry), other={"base_url": wire.url})
            assert providers.live.routes["acme"] is route
            with pytest.raises(CircuitOpen):
                await providers.ask("acme")
            assert providers.snapshot("acme", "upstream")["idle"] == 1
            assert wire.open == 1
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_changed_provider_starts_anew_and_its_old_connections_close() -> None:
    async def scenario() -> None:
        async with Wire(reply(500), reply(500), reply(200)) as wire:
            providers = Configured()
            providers.update(acme={"base_url": wire.url, "breaker": BREAKER})
            for _ in range(2):
                await providers.ask("acme")
            providers.update(acme={"base_url": wire.url, "breaker": {**BREAKER, "failures": 3}})
            await wire.until(lambda: wire.open == 0)
            assert (await providers.ask("acme")).status == 200
            assert len(wire.links) == 2
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_pause_a_limit_and_an_open_breaker_outlast_a_reload_of_other_sections() -> None:
    async def scenario() -> None:
        limited, failing = reply(429, b"", b"Retry-After: 30"), reply(500)
        async with Wire(limited, reply(200), failing, failing) as wire:
            providers = Configured()
            entries: dict[str, dict[str, Any]] = {
                "paused": {"base_url": wire.url},
                "limited": {"base_url": wire.url, "rate_limit": {"limits": ["1/1h"], "max_wait": "0s"}},
                "failing": {"base_url": wire.url, "breaker": BREAKER},
            }
            providers.update(**entries)
            statuses = [(await providers.ask(name)).status for name in (*entries, "failing")]
            assert statuses == [429, 200, 500, 500]
            providers.update(**{name: {**entry, "trace": "pass"} for name, entry in entries.items()})
            for name, refusal in zip(entries, (ProviderPaused, RateLimited, CircuitOpen), strict=True):
                with pytest.raises(refusal):
                    await providers.ask(name)
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_provider_that_moved_to_another_address_is_another_provider() -> None:
    async def scenario() -> None:
        async with Wire(reply(429, b"", b"Retry-After: 30")) as old, Wire() as new:
            providers = Configured()
            providers.update(acme={"base_url": old.url})
            await providers.ask("acme")
            providers.update(acme={"base_url": new.url})
            assert (await providers.ask("acme")).status == 200
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_call_under_way_ends_where_it_began_though_its_provider_is_gone() -> None:
    async def scenario() -> None:
        pieces: Script = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi", 0.05, b"sh", HOLD]
        async with Wire(pieces) as wire:
            providers = Configured()
            providers.update(acme={"base_url": wire.url})
            answer = await providers.ask("acme")
            providers.update()
            assert providers.live.routes == {}
            assert answer.stream is not None
            assert await answer.stream.read() + await answer.stream.read() in (b"fish", b"fi" + b"sh")
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())


def test_closing_ends_the_free_connections_of_all() -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            providers = Configured()
            providers.update(one={"base_url": wire.url}, two={"base_url": wire.url})
            for name in ("one", "two"):
                await providers.ask(name)
            assert wire.open == 2
            providers.live.close()
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())


def test_the_builtin_provider_is_wherever_it_was_started() -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            providers = Configured(builtin=wire.url)
            providers.update(mock={"base_url": "builtin:mock"})
            assert (await providers.ask("mock")).status == 200
            assert providers.snapshot("mock", "upstream")["origin"] == wire.url
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_missing_secret_is_named_by_provider_and_reference_and_fails_its_own_provider_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            providers, ref = Configured(), f"file:{tmp_path}/absent"
            secret = {"scheme": "bearer", "token": ref}
            providers.update(poor={"base_url": wire.url, "credential": secret}, rich={"base_url": wire.url})
            assert providers.live.missing_secrets() == [f"poor: {ref}: No such file or directory"]
            with pytest.raises(CredentialMissing):
                await providers.ask("poor")
            assert (await providers.ask("rich")).status == 200
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_snapshot_tells_every_layer_in_order_and_the_connections_last() -> None:
    async def scenario() -> None:
        providers = Configured()
        providers.update(acme={"base_url": "https://api.example.com/v2"})
        snapshot = providers.live.snapshots(0.0)["acme"]
        assert list(snapshot) == ["deadline", "bulkhead", "breaker", "rate_limit", "timeout", "upstream"]
        assert snapshot["upstream"] == {"origin": "https://api.example.com/v2", "connections": 0, "idle": 0}

    run_on_uvloop(scenario())


def keyed(url: str, **accounts: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with accounts, all at one address, each with its own secret."""
    full = {
        name: {"base_url": url, "retry": False, "credential": {"scheme": "bearer", "token": f"env:{name}"}, **keys}
        for name, keys in accounts.items()
    }
    return {"base_url": url, "credential": {"scheme": "bearer", "token": "env:OWN"}, "accounts": full}


KEYS = {name: f"sk_test_{name}" for name in ("OWN", "EU", "US")}


def sent(wire: Wire) -> list[bytes]:
    return [value for one in wire.requests for name, value in one.fields if name == b"Authorization"]


def test_each_account_sends_its_own_credential_and_none_means_the_providers() -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            providers = Configured(KEYS)
            providers.update(acme=keyed(wire.url, EU={}, US={}))
            for account in (None, "EU", "US"):
                await providers.ask("acme", account=account)
            assert sent(wire) == [b"Bearer sk_test_OWN", b"Bearer sk_test_EU", b"Bearer sk_test_US"]
            route = providers.live.routes["acme"]
            assert (route.accounts, route.needs_account) == (("EU", "US"), False)
            assert len(wire.links) == 3  # no connection serves two accounts
            providers.live.close()
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())


def test_one_accounts_breaker_limit_and_pause_are_nobody_elses() -> None:
    async def scenario() -> None:
        async with Wire(reply(500), reply(500), reply(429, b"", b"Retry-After: 30"), reply(200)) as wire:
            providers = Configured(KEYS)
            providers.update(acme=keyed(wire.url, EU={"breaker": BREAKER}, US={}))
            accounts = ("EU", "EU", "US", None)
            assert [(await providers.ask("acme", account=one)).status for one in accounts] == [500, 500, 429, 200]
            for account, refusal in (("EU", CircuitOpen), ("US", ProviderPaused)):
                with pytest.raises(refusal):
                    await providers.ask("acme", account=account)
            assert (await providers.ask("acme")).status == 200
            state = providers.live.snapshots(0.0)["acme"]
            assert list(state["accounts"]) == ["EU", "US"]
            assert state["accounts"]["EU"]["breaker"]["state"] == "open"
            assert state["breaker"]["state"] == "closed"
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_reload_keeps_the_legs_that_did_not_change() -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            providers = Configured(KEYS)
            providers.update(acme=keyed(wire.url, EU={}, US={}))
            for account in (None, "EU", "US"):
                await providers.ask("acme", account=account)
            providers.update(acme=keyed(wire.url, EU={}, ASIA={"credential": False}))
            await wire.until(lambda: wire.open == 2)  # US is gone, the others kept their connections
            for account in (None, "EU", "ASIA"):
                await providers.ask("acme", account=account)
            assert len(wire.links) == 4
            providers.live.close()

    run_on_uvloop(scenario())


def test_a_changed_account_goes_on_with_what_was_known_of_it() -> None:
    async def scenario() -> None:
        async with Wire(reply(500), reply(500), reply(200)) as wire:
            providers = Configured(KEYS)
            providers.update(acme=keyed(wire.url, EU={"breaker": BREAKER}))
            for _ in range(2):
                await providers.ask("acme", account="EU")
            providers.update(acme=keyed(wire.url, EU={"breaker": BREAKER, "timeout": {"attempt": "9s"}}))
            with pytest.raises(CircuitOpen):
                await providers.ask("acme", account="EU")
            providers.live.close()

    run_on_uvloop(scenario())


def test_without_a_credential_of_its_own_a_provider_is_its_accounts() -> None:
    async def scenario() -> None:
        providers = Configured({"EU": "sk_test_EU"})
        providers.update(acme={**keyed("https://api.example.com", EU={}, US={}), "credential": False})
        route = providers.live.routes["acme"]
        assert (route.accounts, route.needs_account) == (("EU", "US"), True)
        assert providers.live.missing_secrets() == ["acme: account US: env:US: the variable is not set"]
        assert list(providers.live.snapshots(0.0)["acme"]) == ["deadline", "bulkhead", "accounts"]

    run_on_uvloop(scenario())


def test_the_names_under_which_events_are_told_are_bounded_by_the_configuration() -> None:
    async def scenario() -> None:
        providers = Configured(KEYS)
        providers.update(acme=keyed("https://api.example.com", EU={}), other={"base_url": "https://x.example"})
        assert providers.live.names == ["acme", "other"]

    run_on_uvloop(scenario())
