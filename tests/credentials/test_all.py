"""Several credentials in one call."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.call import Call, Headers, Reply, WholeBody
from proxy.core.secret import Secret, SecretRef, SecretRefs, SecretSlot
from proxy.core.units import Frozen
from proxy.credentials import SCHEMES, CredentialConfig, references
from proxy.credentials.all import AllOf
from proxy.credentials.scheme import Scheme, SchemeConfig
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime

ALGOLIA = {
    "application": {"scheme": "header", "name": "x-algolia-application-id", "value": "env:APP"},
    "key": {"scheme": "header", "name": "x-algolia-api-key", "value": "env:KEY"},
}
EDAMAM = {
    "id": {"scheme": "query", "name": "app_id", "value": "env:APP"},
    "key": {"scheme": "query", "name": "app_key", "value": "env:KEY"},
}
SEGMENT = {
    "basic": {"scheme": "basic", "username": "env:KEY"},
    "body": {"scheme": "body", "fields": ["writeKey"], "value": "env:KEY"},
}
TWILIO = {
    "sid": {"scheme": "path", "template": "/2010-04-01/Accounts/{secret}", "value": "env:APP"},
    "basic": {"scheme": "basic", "username": "env:APP", "password": "env:KEY"},
}
VALUES = {"env:APP": "app_example", "env:KEY": "key_example"}


class Provider(Frozen):
    credential: CredentialConfig


def config_of(parts: Mapping[str, Any]) -> Any:
    return Provider.model_validate({"credential": {"scheme": "all", "of": parts}}).credential


def scheme(parts: Mapping[str, Any]) -> Scheme:
    return SCHEMES["all"](config_of(parts), slots_of(VALUES), make_runtime())


def basic(username: str, password: str = "") -> bytes:
    return b"Basic " + b64encode(f"{username}:{password}".encode())


def test_two_headers_stand_where_the_callers_first_one_stood_in_the_parts_order() -> None:
    headers: Headers = [(b"A", b"1"), (b"X-Algolia-API-Key", b"p"), (b"B", b"2"), (b"x-algolia-application-id", b"p")]
    assert injected(scheme(ALGOLIA), call_of(headers=headers)).headers == [
        (b"A", b"1"),
        (b"x-algolia-application-id", b"app_example"),
        (b"x-algolia-api-key", b"key_example"),
        (b"B", b"2"),
    ]


def test_two_query_keys() -> None:
    sent = injected(scheme(EDAMAM), call_of(b"/api?app_key=p&q=soup&app_id=p"))
    assert sent.target == b"/api?q=soup&app_id=app_example&app_key=key_example"


def test_a_header_and_a_field_of_the_body() -> None:
    call = call_of(
        b"/v1/batch",
        [(b"Authorization", basic("placeholder")), (b"Content-Length", b"26")],
        "POST",
        WholeBody(b'{"writeKey":"placeholder"}'),
    )
    made = scheme(SEGMENT)
    assert made.waits
    sent = injected(made, call)
    assert sent.headers == [(b"Authorization", basic("key_example")), (b"Content-Length", b"26")]
    assert sent.body.whole == b'{"writeKey":"key_example"}'


def test_two_secrets_in_one_body() -> None:
    parts = {
        "id": {"scheme": "body", "fields": ["app_id"], "value": "env:APP"},
        "key": {"scheme": "body", "fields": ["app_key"], "value": "env:KEY"},
    }
    body = b'{"app_id":"placeholder","app_key":"placeholder"}'
    sent = injected(scheme(parts), call_of(b"/", [(b"Content-Length", b"%d" % len(body))], "POST", WholeBody(body)))
    assert sent.body.whole == b'{"app_id":"app_example","app_key":"key_example"}'
    assert sent.headers == [(b"Content-Length", b"%d" % len(sent.body.whole))]


def test_a_segment_of_the_path_and_a_header() -> None:
    made = scheme(TWILIO)
    assert not made.waits
    sent = injected(made, call_of(b"/2010-04-01/Accounts/ACplaceholder/Messages.json"))
    assert sent.target == b"/2010-04-01/Accounts/app_example/Messages.json"
    assert sent.headers == [(b"Authorization", basic("app_example", "key_example"))]


def test_what_any_part_would_strip_is_stripped() -> None:
    sent = injected(
        scheme(ALGOLIA | {"id": EDAMAM["id"]}),
        call_of(b"/?app_id=p", [(b"X_Algolia_Api_Key", b"p"), (b"Api-Key", b"p")]),
    )
    assert b"p" not in [value for _, value in sent.headers]
    assert b"=p" not in sent.target


def test_the_parts_tell_their_places_and_secrets_together() -> None:
    made = scheme(SEGMENT | {"query": EDAMAM["id"]})
    assert made.places == ("header Authorization", "body field writeKey", "query app_id")
    assert [str(slot.ref) for slot in made.slots] == ["env:KEY", "env:KEY", "env:APP"]
    assert [path for path, _ in references(config_of(TWILIO))] == [
        ("of", "sid", "value"),
        ("of", "basic", "username"),
        ("of", "basic", "password"),
    ]


def test_the_generation_grows_with_every_part() -> None:
    slots: dict[SecretRef, SecretSlot] = {}

    def slot_of(refs: SecretRefs) -> SecretSlot:
        return slots.setdefault(refs[0], SecretSlot(refs[0]))

    made = SCHEMES["all"](config_of(ALGOLIA), slot_of, make_runtime())
    seen = [made.generation]
    for slot in slots.values():
        slot.put(Secret("changed"))
        seen.append(made.generation)
    assert sorted(set(seen)) == seen


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"Bad Name": ALGOLIA["key"]},
        {"nested": {"scheme": "all", "of": ALGOLIA}},
        {"key": {"scheme": "telepathy"}},
        {"key": ALGOLIA["key"] | {"value": "literal"}},
    ],
)
def test_parts_that_can_not_work_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config_of(parts)


KEY = {"scheme": "header", "name": "X-Api-Key", "value": "env:KEY"}
TOKEN = {"scheme": "bearer", "token": "env:KEY"}
OAUTH = {"scheme": "oauth2", "grant": "refresh_token", "token_url": "https://auth.example.com/t", "client_id": "app",
         "refresh_token": "env:KEY"}  # fmt: skip
AWS = {"scheme": "sigv4", "access_key": "env:APP", "secret_key": "env:KEY"}
AZURE = {"scheme": "azure_shared_key", "account": "tide", "key": "env:KEY"}
QUERY, PATH, BODY = EDAMAM["id"], TWILIO["sid"], SEGMENT["body"]


def signature(message: str, header: str = "X-Signature") -> dict[str, Any]:
    headers = {header: "{signature}"}
    return {"scheme": "hmac", "secrets": {"k": "env:KEY"}, "key": "k", "message": message, "headers": headers}


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (TOKEN, SEGMENT["basic"], "authorization"),
        (SEGMENT["basic"], OAUTH, "authorization"),
        (TOKEN, AWS, "authorization"),
        (TOKEN, AZURE, "authorization"),
        (KEY, KEY | {"name": "x_api_key"}, "x-api-key"),
        (KEY, signature("{body}", "x-api-key"), "x-api-key"),
    ],
)
def test_two_parts_that_set_one_header_are_refused(one: Any, other: Any, name: str) -> None:
    text = f"a and b both set the header {name}, and the provider would get two: leave one out"
    with pytest.raises(ValidationError, match=text):
        config_of({"a": one, "b": other})


@pytest.mark.parametrize(
    ("signs", "changes"),
    [
        *[(aws_or_azure, part) for aws_or_azure in (AWS, AZURE) for part in (KEY, QUERY, PATH, BODY)],
        (signature("{path}"), PATH),
        (signature("{target}"), PATH),
        (signature("{target}"), QUERY),
        (signature("{query}"), QUERY),
        (signature("{body_sha256}"), BODY),
        (signature("{header:content-length}"), BODY),
        (signature("{header:x_api_key}"), KEY),
        (signature("{header:Authorization}"), OAUTH),
    ],
)
def test_a_part_that_signs_what_another_changes_comes_after_it(signs: Any, changes: Any) -> None:
    with pytest.raises(ValidationError, match="sign signs what key changes after it: write sign below key"):
        config_of({"sign": signs, "key": changes})
    assert list(config_of({"key": changes, "sign": signs}).of) == ["key", "sign"]


@pytest.mark.parametrize("part", [KEY, TOKEN, QUERY, PATH, BODY])
def test_a_signature_of_what_no_other_part_changes_may_stand_anywhere(part: Any) -> None:
    assert config_of({"sign": signature("{timestamp}{method}{host}{header:Accept}"), "key": part})


class Part(Scheme):
    """A scheme that waits, fetches and remembers."""

    waits = True

    class Config(SchemeConfig):
        ends: float | None = None
        renews: bool = False
        answers: bool = False

    def __init__(self, config: Config, slot_of: Any, runtime: Any) -> None:
        super().__init__((), runtime)
        self.config = config
        self.heard: list[str] = []

    async def prepare(self, call: Call) -> None:
        self.heard.append("prepare")

    def strip(self, sent: Call) -> int:
        sent.headers = [header for header in sent.headers if header[0] != b"X-Own"]
        return 0

    def inject(self, sent: Call, place: int, call: Call) -> None:
        sent.headers.insert(place, (b"X-Token", str(place).encode()))

    def answer(self, call: Call) -> Reply | None:
        return Reply(200, b"", [], b"token") if self.config.answers else None

    def rejected(self, sent: Call) -> bool:
        self.heard.append("rejected")
        return self.config.renews

    def adopt(self, old: Scheme) -> None:
        self.heard += old.heard if isinstance(old, Part) else []

    def snapshot(self) -> dict[str, object]:
        return {} if self.config.ends is None else {"expires_ts": self.config.ends}


def parts(*configs: Part.Config) -> tuple[AllOf, list[Part]]:
    made: list[Part] = []

    def make(*args: Any) -> Part:
        made.append(Part(*args))
        return made[-1]

    makers: dict[str, Callable[..., Scheme]] = {"part": make}
    config = AllOf.Config[Part.Config](scheme="all", of={f"p{index}": one for index, one in enumerate(configs)})
    return AllOf(makers, config, slots_of({}), make_runtime()), made


PLAIN = Part.Config(scheme="part")


def test_every_part_is_prepared_strips_its_own_and_injects_beside_the_others() -> None:
    made, each = parts(PLAIN, PLAIN)
    sent = injected(made, call_of(headers=[(b"A", b"1"), (b"Authorization", b"p"), (b"X-Own", b"p"), (b"B", b"2")]))
    assert sent.headers == [(b"A", b"1"), (b"X-Token", b"1"), (b"X-Token", b"2"), (b"B", b"2")]
    assert [part.heard for part in each] == [["prepare"], ["prepare"]]


def test_a_refusal_is_heard_by_every_part_and_one_with_another_credential_is_enough() -> None:
    made, each = parts(PLAIN.model_copy(update={"renews": True}), PLAIN)
    assert made.rejected(call_of())
    assert [part.heard for part in each] == [["rejected"], ["rejected"]]
    assert not parts(PLAIN, PLAIN)[0].rejected(call_of())


def test_the_first_answer_of_a_part_is_the_answer() -> None:
    made, _ = parts(PLAIN, PLAIN.model_copy(update={"answers": True}))
    reply = made.answer(call_of())
    assert reply is not None
    assert reply.body == b"token"
    assert parts(PLAIN)[0].answer(call_of()) is None


def test_each_part_goes_on_with_what_its_predecessor_knew() -> None:
    old, _ = parts(PLAIN, PLAIN)
    injected(old, call_of())
    new, each = parts(PLAIN, PLAIN)
    new.adopt(old)
    assert [part.heard for part in each] == [["prepare"], ["prepare"]]


def test_of_several_ends_the_first_is_told() -> None:
    made, _ = parts(PLAIN.model_copy(update={"ends": 20.0}), PLAIN, PLAIN.model_copy(update={"ends": 10.0}))
    assert made.snapshot() == {"expires_ts": 10.0}
    assert parts(PLAIN)[0].snapshot() == {}


def test_a_url_of_the_provider_s_is_shown_without_what_any_part_put_in() -> None:
    made = scheme({**EDAMAM, **TWILIO})
    injected(made, call_of(b"/2010-04-01/Accounts/placeholder"))
    assert made.conceal(b"/Accounts/app_example?app_id=app_example&page=2") == b"/Accounts/placeholder?page=2"
