import pytest

from proxy.credentials.query import QueryKey
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime


def sent(target: bytes, name: str = "apiKey", secret: str = "sk_test_example") -> bytes:
    config = QueryKey.Config.model_validate({"scheme": "query", "name": name, "value": "env:KEY"})
    return injected(QueryKey(config, slots_of({"env:KEY": secret}), make_runtime()), call_of(target)).target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/v1", b"/v1?apiKey=sk_test_example"),
        (b"/v1?", b"/v1?apiKey=sk_test_example"),
        (b"/v1?a=%7e&b", b"/v1?a=%7e&b&apiKey=sk_test_example"),
        (b"/v1?apiKey=mine", b"/v1?apiKey=sk_test_example"),
        (b"/v1?apiKey=mine&a=1&api%4bey=mine", b"/v1?a=1&apiKey=sk_test_example"),
        (b"/v1?a=what?", b"/v1?a=what?&apiKey=sk_test_example"),
    ],
)
def test_the_pair_goes_last_in_the_query(target: bytes, expected: bytes) -> None:
    assert sent(target) == expected


def test_name_and_value_are_percent_encoded() -> None:
    assert sent(b"/", "api key", "a&b=c#d/é") == b"/?api%20key=a%26b%3Dc%23d%2F%C3%A9"
