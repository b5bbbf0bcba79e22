"""What the providers tell the log and the listener about their profiles."""

from typing import Any

from proxy.addresses import parse_base_url
from proxy.edge.secrets import Secrets
from proxy.providers import Providers
from proxy.settings import Settings
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call


def live(**entries: dict[str, Any]) -> Providers:
    """Put entries to work; nothing is sent to them."""
    providers = Providers(Secrets(lambda _: None, {}), lambda _: None, lambda: parse_base_url("http://127.0.0.1:9"))
    providers.update(Settings.model_validate({"providers": entries}).providers)
    return providers


def test_what_is_known_of_each_provider_is_told_for_the_log() -> None:
    async def scenario() -> None:
        named = {"base_url": "https://api.example.com", "profile": {"request_id": "X-Amzn-RequestId"}}
        providers = live(named=named, plain={"base_url": "https://api.example.com"})
        profiles = providers.profiles()
        assert {name: profile.request_id for name, profile in profiles.items()} == {
            "named": "x-amzn-requestid",
            "plain": None,
        }

    run_on_uvloop(scenario())


def test_urls_are_led_back_for_every_address_of_a_provider_unless_that_is_turned_off() -> None:
    async def scenario() -> None:
        here = {"base_url": "https://api.example.com/v2"}
        providers = live(acme=here, other={**here, "rewrite_urls": False})
        rewriter = providers.routes["acme"].rewriter
        assert rewriter is not None
        assert rewriter.url(b"https://api.example.com/v2/things", b"http://localhost/acme") == (
            b"http://localhost/acme/things"
        )
        other = providers.routes["other"].rewriter
        assert other is not None
        call = make_call()
        call.base = "http://localhost/other"
        url = b"https://api.example.com/v2/things"
        assert other.header(b"Location", url, call) == url

    run_on_uvloop(scenario())


def test_an_account_s_own_address_leads_back_to_the_provider() -> None:
    async def scenario() -> None:
        eu = {"base_url": "https://eu.example.com", "credential": {"scheme": "bearer", "token": "env:EU"}}
        rewriter = live(acme={"base_url": "https://api.example.com", "accounts": {"eu": eu}}).routes["acme"].rewriter
        assert rewriter is not None
        assert rewriter.url(b"https://eu.example.com/a", b"http://localhost/acme") == b"http://localhost/acme/a"

    run_on_uvloop(scenario())


def test_the_query_keys_of_an_injected_credential_are_taken_out_of_urls_and_a_caller_s_own_stay() -> None:
    async def scenario() -> None:
        here = {"base_url": "https://api.example.com", "profile": {"strip_query": ["app_id"]}}
        credential = {"scheme": "query", "name": "app_key", "value": "env:KEY"}
        routes = live(keyed={**here, "credential": credential}, open=here).routes
        url, base = b"https://api.example.com/a?app_id=1&app_key=2&page=3", b"http://localhost"
        shown = [one.rewriter.url(url, base) for one in routes.values() if one.rewriter is not None]
        assert shown == [b"http://localhost/a?page=3", b"http://localhost/a?app_id=1&app_key=2&page=3"]

    run_on_uvloop(scenario())


def test_the_word_that_keeps_an_sdk_from_retrying_comes_from_the_profile() -> None:
    async def scenario() -> None:
        here = {"base_url": "https://api.example.com"}
        routes = live(acme={**here, "profile": {"should_retry": "stripe-should-retry"}}, plain=here).routes
        assert routes["acme"].stop == (b"stripe-should-retry", b"Stripe-Should-Retry: false\r\n")
        assert routes["plain"].stop is None

    run_on_uvloop(scenario())
