from proxy.core.call import Headers
from proxy.credentials.bearer import Bearer
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime


def bearer(**settings: str) -> Bearer:
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "env:TOKEN", **settings})
    return Bearer(config, slots_of({"env:TOKEN": "sk_test_example"}), make_runtime())


def sent(scheme: Bearer, headers: Headers | None = None) -> Headers:
    return injected(scheme, call_of(headers=headers)).headers


def test_the_token_follows_the_word_bearer() -> None:
    assert sent(bearer()) == [(b"Authorization", b"Bearer sk_test_example")]


def test_another_prefix_takes_the_place_of_the_word_bearer() -> None:
    assert sent(bearer(prefix="token")) == [(b"Authorization", b"token sk_test_example")]


def test_the_header_stands_where_the_callers_stood() -> None:
    headers = [(b"Host", b"a"), (b"authorization", b"x"), (b"Accept", b"*/*"), (b"Authorization", b"y")]
    assert sent(bearer(), headers) == [
        (b"Host", b"a"),
        (b"Authorization", b"Bearer sk_test_example"),
        (b"Accept", b"*/*"),
    ]


def test_the_header_goes_last_when_the_caller_sent_none() -> None:
    assert sent(bearer(), [(b"Accept", b"*/*")])[-1] == (b"Authorization", b"Bearer sk_test_example")


def test_the_header_is_the_same_object_while_the_token_stays() -> None:
    scheme = bearer()
    assert sent(scheme)[0] is sent(scheme)[0]
