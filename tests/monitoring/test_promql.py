import re

from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.monitoring.promql import OWED, Series, equals, one_of
from proxy.sansio.classify import Classifier


def test_a_selector_holds_its_matchers_and_one_without_any_has_no_braces() -> None:
    series = Series()
    assert series("tidegate_in_flight", equals("provider", "stripe")) == 'tidegate_in_flight{provider="stripe"}'
    assert series("tidegate_ready") == "tidegate_ready"


def test_every_selector_is_narrowed_to_the_job() -> None:
    series = Series("shop/sidecars")
    assert series("tidegate_ready") == 'tidegate_ready{job="shop/sidecars"}'
    assert series("tidegate_in_flight", equals("provider", "a")).endswith('{provider="a",job="shop/sidecars"}')


def test_several_values_are_one_pattern_in_alphabetical_order() -> None:
    assert one_of("provider", {"stripe", "github-app"}) == 'provider=~"github-app|stripe"'
    assert one_of("provider", ["stripe"]) == 'provider="stripe"'
    assert one_of("provider", ["paypal/.+"]) == 'provider=~"paypal/.+"'


def test_what_is_quoted_cannot_end_the_string() -> None:
    assert equals("path", 'POST /a"} or x') == r'path="POST /a\"} or x"'
    assert equals("path", "a\\b") == r'path="a\\b"'
    assert one_of("path", ['a="b'])[:7] == 'path=~"'


def test_what_a_provider_owes_is_what_the_verdict_says_of_a_plain_status() -> None:
    pattern = re.fullmatch(r'code!~"(.+)"', OWED[1])
    assert pattern is not None
    classify = Classifier(Profile())
    owed = {status for status in range(200, 600) if re.fullmatch(pattern[1], str(status)) is None}
    assert owed == {status for status in range(200, 600) if classify(status, []) in (Outcome.OK, Outcome.FAILED)}
