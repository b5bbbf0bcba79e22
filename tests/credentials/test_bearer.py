from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.bearer import Bearer


def bearer(**settings: str) -> Bearer:
    slot = SecretSlot(SecretRef("env", "TOKEN"))
    slot.put(Secret("sk_test_example"))
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "env:TOKEN", **settings})
    return Bearer(config, lambda _: slot)


def test_the_token_follows_the_word_bearer() -> None:
    assert bearer().apply(b"/", []) == (b"/", [(b"Authorization", b"Bearer sk_test_example")])


def test_another_prefix_takes_the_place_of_the_word_bearer() -> None:
    assert bearer(prefix="token").apply(b"/", [])[1] == [(b"Authorization", b"token sk_test_example")]


def test_the_header_stands_where_the_callers_stood() -> None:
    headers = [(b"Host", b"a"), (b"authorization", b"x"), (b"Accept", b"*/*"), (b"Authorization", b"y")]
    assert bearer().apply(b"/", headers)[1] == [
        (b"Host", b"a"),
        (b"Authorization", b"Bearer sk_test_example"),
        (b"Accept", b"*/*"),
    ]


def test_the_header_goes_last_when_the_caller_sent_none() -> None:
    assert bearer().apply(b"/", [(b"Accept", b"*/*")])[1][-1] == (b"Authorization", b"Bearer sk_test_example")


def test_the_header_is_the_same_object_while_the_token_stays() -> None:
    scheme = bearer()
    assert scheme.apply(b"/a", [])[1][0] is scheme.apply(b"/b", [])[1][0]
