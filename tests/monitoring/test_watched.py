from proxy.monitoring.watched import Watched, fetches_tokens, replaces_secrets, shows_certificate
from tests.support.alerting import settings_of


def watched(providers: str, more: str = "") -> Watched:
    return Watched(settings_of(f"{more}\nproviders: {providers}"))


MANY = """
  mock: {}
  paypal: {breaker: off}
  stripe: {accounts: {eu: {credential: {token: file:/eu}}, us: {credential: {token: [env:A, env:B]}}}}
  sdi: {vars: {service: x}, tls: {client_certificate: file:/crt, client_key: file:/key}, retry: {budget: off}}
"""


def test_those_with_a_policy_are_found_and_their_token_endpoints_with_them() -> None:
    many = watched(MANY)
    assert many.every() == 'provider=~"mock|paypal|sdi|stripe"'
    assert many.having("breaker") == 'provider=~"mock|sdi|stripe"'
    assert many.having("breaker", endpoints=True) == 'provider=~"mock|paypal/.+|sdi|stripe"'
    assert many.having("retry", "budget") == 'provider=~"mock|paypal|stripe"'


def test_one_account_is_enough() -> None:
    own_limit = "{acme: {base_url: 'https://a.example', accounts: {eu: {rate_limit: {limits: [1/1s], max_wait: 4s}}}}}"
    assert watched(own_limit).having("rate_limit", "limits") == 'provider="acme"'
    assert watched(own_limit).patience() == {4.0: 'provider="acme"'}


def test_those_that_never_wait_have_no_patience() -> None:
    at_once = "{acme: {base_url: 'https://a.example', rate_limit: {limits: [1/1s], max_wait: 0s}}}"
    assert watched(at_once).patience() == {}


def test_legs_are_asked_for_tokens_certificates_and_rotation() -> None:
    many = watched(MANY)
    assert many.of_legs(fetches_tokens) == 'provider="paypal"'
    assert many.of_legs(shows_certificate) == 'provider="sdi"'
    assert many.of_legs(replaces_secrets) == 'provider="stripe"'
    assert watched("{mock: {}}").of_legs(fetches_tokens) == ""


def test_secrets_that_change_are_told_from_those_that_are_merely_there() -> None:
    many = watched(MANY)
    assert many.credentialled() == 'provider=~"paypal|sdi|stripe"'
    assert many.rereading() == 'provider=~"sdi|stripe"'


def test_what_is_budgeted_for_all_is_budgeted_of_each() -> None:
    some = watched("{mock: {}, paypal: {slo: off}}", "slo: {availability: 99%}")
    assert (some.budgeted(), some.unbudgeted()) == ('provider="mock"', 'provider="paypal"')
    late = watched("{mock: {}}", "slo: {latency: {percentile: 95, under: 1s}}")
    assert (late.budgeted(), late.unbudgeted()) == ("", 'provider="mock"')


def test_actions_need_a_token() -> None:
    assert watched("{mock: {}}", "admin: {token: env:T}").has_actions
    assert not watched("{mock: {}}").has_actions


def test_a_promise_so_small_that_its_budget_never_pages_leaves_that_to_the_error_rate() -> None:
    half = watched("{mock: {slo: {availability: 50%}}, paypal: {slo: {availability: 99%}}}")
    assert (half.budgeted(), half.unbudgeted()) == ('provider="paypal"', 'provider="mock"')
