from base64 import b64decode

import pytest
from pydantic import ValidationError

from proxy.core.errors import CredentialMissing
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.basic import Basic
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime


def sent(secrets: dict[str, str], **settings: str) -> str:
    """Return the pair as the provider reads it."""
    config = Basic.Config.model_validate({"scheme": "basic", **settings})
    [(name, field)] = injected(Basic(config, slots_of(secrets), make_runtime()), call_of()).headers
    word, _, pair = field.partition(b" ")
    assert (name, word) == (b"Authorization", b"Basic")
    return b64decode(pair, validate=True).decode()


def test_a_plain_user_name_goes_with_a_secret_password() -> None:
    pair = sent({"env:TOKEN": "example:token"}, username="AC_example", password="env:TOKEN")
    assert pair == "AC_example:example:token"


def test_a_user_name_may_be_a_reference_too() -> None:
    secrets = {"env:SID": "AC_example", "file:/token": "zoë"}
    assert sent(secrets, username="env:SID", password="file:/token") == "AC_example:zoë"


def test_a_password_that_is_absent_is_empty() -> None:
    assert sent({"env:KEY": "sk_test_example"}, username="env:KEY") == "sk_test_example:"


def test_a_change_of_either_part_is_seen() -> None:
    user, password = SecretSlot(SecretRef("env", "USER")), SecretSlot(SecretRef("env", "PASSWORD"))
    user.put(Secret("a"))
    password.put(Secret("b"))
    config = Basic.Config.model_validate({"scheme": "basic", "username": "env:USER", "password": "env:PASSWORD"})
    scheme = Basic(config, lambda refs: user if refs[0] == user.ref else password, make_runtime())
    pairs = [scheme.derived()]
    user.put(Secret("A"))
    pairs.append(scheme.derived())
    password.put(Secret("B"))
    pairs.append(scheme.derived())
    assert [b64decode(pair.split()[1]) for pair in pairs] == [b"a:b", b"A:b", b"A:B"]
    assert scheme.slots == (user, password)


def test_a_plain_user_name_without_a_password_is_taken_for_a_literal_secret() -> None:
    with pytest.raises(ValidationError, match="without a password the user name is the secret"):
        Basic.Config.model_validate({"scheme": "basic", "username": "sk_test_example"})


@pytest.mark.parametrize("username", ["", "a:b", "a\nb", "env:", "file:relative", 7.5, None])
def test_a_user_name_that_cannot_be_sent_is_refused(username: object) -> None:
    with pytest.raises(ValidationError):
        Basic.Config.model_validate({"scheme": "basic", "username": username, "password": "env:TOKEN"})


def test_a_colon_in_a_secret_user_name_is_refused_when_it_is_used() -> None:
    with pytest.raises(CredentialMissing) as caught:
        sent({"env:SID": "AC:example", "env:TOKEN": "x"}, username="env:SID", password="env:TOKEN")
    assert "AC:example" not in caught.value.detail


def test_the_user_name_is_shown_as_it_was_written() -> None:
    config = Basic.Config.model_validate({"scheme": "basic", "username": "env:SID", "password": "env:TOKEN"})
    shown = config.model_dump(mode="json", exclude_unset=True)
    assert shown == {"scheme": "basic", "username": "env:SID", "password": "env:TOKEN"}


def test_two_user_names_may_be_live_with_their_two_passwords() -> None:
    written = {"username": ["env:NEW", "env:OLD"], "password": ["file:/new", "file:/old"]}
    config = Basic.Config.model_validate({"scheme": "basic", **written})
    assert config.model_dump(mode="json", exclude_unset=True) == {"scheme": "basic", **written}
