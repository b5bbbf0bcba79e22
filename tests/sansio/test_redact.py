from base64 import b64encode

import orjson
import pytest

from proxy.core.profile import SecretPattern
from proxy.sansio.redact import Redactor

PATTERN = SecretPattern(pattern=r"\bsk_(?:test|live)_[a-z]{4,}", contains=("sk_test_", "sk_live_"))


def knowing(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.know(secret)
    return redactor


def test_a_known_value_is_replaced_wherever_it_stands() -> None:
    assert knowing("example-key").redact(b"a=example-key;b=example-key") == b"a=[secret];b=[secret]"


def test_data_without_a_secret_comes_back_itself() -> None:
    data = b"nothing here but example-ke and xample-key"
    assert knowing("example-key").redact(data) is data


@pytest.mark.parametrize(
    "encoded",
    [
        r"a\"b\\c/d é&<'>",
        r"a\"b\\c/d \u00e9&<'>",
        r"a\\\"b\\\\c/d é&<'>",
        "a%22b%5Cc%2Fd%20%C3%A9%26%3C%27%3E",
        "a%22b%5cc%2fd%20%c3%a9%26%3c%27%3e",
        "a%22b%5Cc/d%20%C3%A9%26%3C%27%3E",
        "a%22b%5Cc%2Fd+%C3%A9%26%3C%27%3E",
        "a%22b%5Cc%2Fd%20%C3%A9%26%3C'%3E",
        "a%22b%5Cc%2Fd%20%C3%A9&%3C'%3E",
        "a%22b%5Cc/d%20%C3%A9&%3C'%3E",
        "a&quot;b\\c/d é&amp;&lt;&#x27;&gt;",
        "a&#34;b\\c/d é&amp;&lt;&#39;&gt;",
        r"a&quot;b\\c/d é&amp;&lt;&#x27;&gt;",
        r"""a"b\\c/d \xc3\xa9&<\'>""",
    ],
)
def test_a_value_is_found_in_json_urls_pages_and_tracebacks(encoded: str) -> None:
    assert knowing("a\"b\\c/d é&<'>").redact_text(f"({encoded})") == "([secret])"


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "AC_example"])
def test_a_value_is_found_in_a_basic_credential_of_any_user(user: str) -> None:
    secret = "example-password-1"
    pair = b64encode(f"{user}:{secret}".encode())
    clean = knowing(secret).redact(b"Basic " + pair + b" end")
    assert b"[secret]" in clean
    assert len(clean) <= len(b"Basic " + b64encode(user.encode()) + b"[secret]" + b" end") + 5


def test_one_secret_inside_another_does_not_save_the_rest_of_it() -> None:
    assert knowing("example", "example-longer-key").redact(b"x example-longer-key x") == b"x [secret] x"


def test_secrets_that_overlap_are_both_gone() -> None:
    assert knowing("first-half", "half-second").redact(b"<first-half-second>") == b"<[secret]>"


def test_a_secret_of_one_repeated_letter_is_wholly_gone() -> None:
    assert knowing("aaaaaa").redact(b"<aaaaaaaaaaaaa>") == b"<[secret]>"


def test_short_values_are_not_searched() -> None:
    assert knowing("a", "12345").redact(b"a 12345") == b"a 12345"
    assert knowing("123456").redact(b"a 123456") == b"a [secret]"


def test_a_part_of_the_mask_is_no_secret() -> None:
    assert knowing("secret", "example-key").redact(b"secret example-key") == b"secret [secret]"


def test_the_former_value_of_a_rotated_secret_stays_known() -> None:
    assert knowing("former-key", "present-key").redact(b"former-key present-key") == b"[secret] [secret]"


def test_the_value_that_was_not_told_for_longest_is_forgotten_first() -> None:
    redactor = knowing("kept-value", "oldest-value", *[f"value-{number:03}-" for number in range(998)])
    redactor.know("kept-value")
    redactor.know("newest-value")
    assert (
        redactor.redact(b"kept-value oldest-value newest-value value-000-")
        == b"[secret] oldest-value [secret] [secret]"
    )


def test_however_many_tokens_come_secrets_stay_known_and_the_newest_tokens_of_each_user() -> None:
    redactor = knowing("lasting-key")
    redactor.know_token("token-of-the-other", "other")
    for number in range(2000):
        redactor.know_token(f"token-{number:04}-of-one", "one")
    known = b"lasting-key token-of-the-other token-1984-of-one token-1999-of-one"
    assert redactor.redact(known) == b" ".join([b"[secret]"] * 4)
    assert redactor.redact(b"token-1983-of-one") == b"token-1983-of-one"


def test_a_token_that_is_told_again_stays_known() -> None:
    redactor = Redactor()
    for number in range(100):
        redactor.know_token("lasting-refresh-token", "one")
        redactor.know_token(f"token-{number:04}-of-one", "one")
    assert redactor.redact(b"lasting-refresh-token") == b"[secret]"


def test_a_secret_that_is_a_token_too_is_not_forgotten_with_it() -> None:
    redactor = knowing("configured-refresh-token")
    redactor.know_token("configured-refresh-token", "one")
    for number in range(20):
        redactor.know_token(f"token-{number:04}-of-one", "one")
    assert redactor.redact(b"configured-refresh-token") == b"[secret]"


def test_a_value_is_found_by_its_shape() -> None:
    redactor = Redactor()
    redactor.patterns([PATTERN, PATTERN])
    assert redactor.redact(b"key sk_test_madeup, sk_live_madeup") == b"key [secret], [secret]"
    assert redactor.redact(b"key sk_test_abc") == b"key sk_test_abc"


def test_a_shape_is_only_tried_where_its_text_occurs() -> None:
    redactor = Redactor()
    redactor.patterns([SecretPattern(pattern="[a-z]+", contains=("sk_",))])
    assert redactor.redact(b"plain words") == b"plain words"
    assert redactor.redact(b"sk_1") == b"[secret]_1"


def test_a_shape_that_matches_nothing_at_all_adds_no_mask() -> None:
    redactor = Redactor()
    redactor.patterns([SecretPattern(pattern="z*", contains=("a",))])
    assert redactor.redact(b"abc") == b"abc"


def test_new_shapes_take_the_place_of_the_former_ones() -> None:
    redactor = Redactor()
    redactor.patterns([PATTERN])
    redactor.patterns([])
    assert redactor.redact(b"sk_test_madeup") == b"sk_test_madeup"


def test_a_batch_of_json_lines_stays_json() -> None:
    lines = [{"path": "/a", "error": 'no "exam"ple\\key" here'}, {"error": "none"}]
    batch = b"\n".join(orjson.dumps(line) for line in lines)
    clean = [orjson.loads(line) for line in knowing('exam"ple\\key').redact(batch).split(b"\n")]
    assert clean == [{"path": "/a", "error": 'no "[secret]" here'}, {"error": "none"}]


def test_text_that_is_no_unicode_passes() -> None:
    assert knowing("example-key").redact_text("\ud800 none") == "\ud800 none"
    assert "example-key" not in knowing("example-key").redact_text("\ud800 example-key")
