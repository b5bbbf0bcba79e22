import pytest
from pydantic import ValidationError

from proxy.core.call import Headers
from proxy.credentials.header import HeaderField
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime


def sent(headers: Headers, **settings: str) -> Headers:
    config = HeaderField.Config.model_validate({"scheme": "header", "value": "env:KEY", **settings})
    scheme = HeaderField(config, slots_of({"env:KEY": "sk_test_example"}), make_runtime())
    return injected(scheme, call_of(headers=headers)).headers


def test_the_value_stands_alone_under_the_configured_name() -> None:
    assert sent([], name="X-Api-KEY") == [(b"X-Api-KEY", b"sk_test_example")]


def test_a_prefix_stands_before_the_value() -> None:
    assert sent([], name="Authorization", prefix="GenieKey") == [(b"Authorization", b"GenieKey sk_test_example")]


def test_the_callers_header_of_that_name_gives_its_place() -> None:
    headers = [(b"x-api-key", b"mine"), (b"Accept", b"*/*")]
    assert sent(headers, name="X-Api-Key") == [(b"X-Api-Key", b"sk_test_example"), (b"Accept", b"*/*")]


def test_a_name_that_frames_the_message_is_refused() -> None:
    with pytest.raises(ValidationError, match="frames or routes"):
        sent([], name="Content-Length")
