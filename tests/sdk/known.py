"""How every provider must know the caller: made-up secrets, and what the sidecar makes of them."""

import hashlib
import hmac
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final
from urllib.parse import parse_qs

import jwt

from tests.sdk.signatures import ACCESS_KEY, SECRET_KEY, STORAGE_KEY, signed_by_aws, signed_by_azure
from tests.support.framing import values
from tests.support.keys import ec_key, pem, rsa_key
from tests.support.wire import Request

ACCOUNT_SID: Final = "ACexample"
ACCESS_TOKEN: Final = "ya29-example-of-a-token"
"""What every token endpoint gives out."""

SECRETS: Final = {
    "ALGOLIA_API_KEY": "algolia-example-of-a-key",
    "ALGOLIA_APP_ID": "ALGOLIAEXAMPLE",
    "ANTHROPIC_API_KEY": "sk-ant-example-of-a-key",
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AZURE_STORAGE_KEY": STORAGE_KEY,
    "CLOUDINARY_API_KEY": "cloudinary-example-of-a-key",
    "CLOUDINARY_API_SECRET": "cloudinary-example-of-a-secret",
    "DISCORD_BOT_TOKEN": "discord-example-of-a-token",
    "EDAMAM_APP_ID": "edamam-example-of-an-id",
    "EDAMAM_APP_KEY": "edamam-example-of-a-key",
    "ELASTICSEARCH_API_KEY": "elastic-example-of-a-key",
    "FACEBOOK_ACCESS_TOKEN": "facebook-example-of-a-token",
    "FACEBOOK_APP_SECRET": "facebook-example-of-a-secret",
    "GITHUB_TOKEN": "ghp_example_of_a_token",
    "HOTELBEDS_API_KEY": "hotelbeds-example-of-a-key",
    "HOTELBEDS_SECRET": "hotelbeds-example-of-a-secret",
    "MAILGUN_API_KEY": "mailgun-example-of-a-key",
    "MIXPANEL_SERVICE_ACCOUNT": "mixpanel-example-of-an-account",
    "MIXPANEL_SERVICE_SECRET": "mixpanel-example-of-a-secret",
    "MIXPANEL_TOKEN": "mixpanel-example-of-a-token",
    "OPENAI_API_KEY": "sk-example-of-a-key",
    "PAYPAL_CLIENT_ID": "paypal-example-of-an-id",
    "PAYPAL_CLIENT_SECRET": "paypal-example-of-a-secret",
    "PERPLEXITY_API_KEY": "pplx-example-of-a-key",
    "POSTHOG_PROJECT_TOKEN": "posthog-example-of-a-token",
    "QSTASH_TOKEN": "qstash-example-of-a-token",
    "SEGMENT_WRITE_KEY": "segment-example-of-a-key",
    "SENDGRID_API_KEY": "SG.example.of-a-key",
    "SHOPIFY_ACCESS_TOKEN": "shopify-example-of-a-token",
    "SHOPIFY_STOREFRONT_TOKEN": "storefront-example-of-a-token",
    "SLACK_BOT_TOKEN": "xoxb-example-of-a-token",
    "SLACK_WEBHOOK_PATH": "Texample/Bexample/example-of-a-hook",
    "SPOONACULAR_API_KEY": "spoonacular-example-of-a-key",
    "SQUARE_ACCESS_TOKEN": "square-example-of-a-token",
    "STRIPE_SECRET_KEY": "sk_test_example",
    "SVIX_TOKEN": "svix-example-of-a-token",
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": "example-of-an-auth-token",
    "UPSTASH_REDIS_REST_TOKEN": "upstash-example-of-a-token",
}
_NOT_HIDDEN: Final = ("TWILIO_ACCOUNT_SID", "ALGOLIA_APP_ID", "EDAMAM_APP_ID")  # names rather than secrets
_PLAIN_IDS: Final = {
    "APPLE_CLIENT_ID": "com.example.tide", "APPLE_KEY_ID": "KEYEXAMPLE", "APPLE_TEAM_ID": "TEAMEXAMPLE",
    "SNOWFLAKE_USER": "ACCOUNT.USER",
}  # fmt: skip


@cache
def environment(issuer: str) -> Mapping[str, str]:
    """Return the sidecar's variables. issuer: the address of the token endpoint that key files name."""
    service = {
        "type": "service_account", "project_id": "tide", "private_key_id": "1", "private_key": pem(rsa_key()),
        "client_email": "tide@example.com", "token_uri": f"{issuer}/token",
    }  # fmt: skip
    return {
        **SECRETS,
        **_PLAIN_IDS,
        "APPLE_PRIVATE_KEY": pem(ec_key()),
        "FCM_SERVICE_ACCOUNT": json.dumps(service),
        "GOOGLE_SERVICE_ACCOUNT_JSON": json.dumps(service),
        "SNOWFLAKE_PRIVATE_KEY": pem(rsa_key()),
    }


def basic(user: str, password: str) -> bytes:
    """Return the value of Authorization, after the word Basic."""
    return b64encode(f"{user}:{password}".encode())


@cache
def hidden() -> tuple[bytes, ...]:
    """Return what no caller may ever see: every secret, as itself and as it stands on the wire."""
    shown = (value.encode() for name, value in SECRETS.items() if name not in _NOT_HIDDEN)
    sent = (value for known in KNOWN.values() for value in known.fields.values() if value)
    packed = (value.removeprefix(b"Basic ") for value in sent if value.startswith(b"Basic "))
    keys = (pem(key).splitlines()[2].encode() for key in (ec_key(), rsa_key()))
    return (*shown, *packed, *keys, ACCESS_TOKEN.encode())


@dataclass(frozen=True)
class Known:
    """What a provider must find in a request, and what of it is the credential.

    fields, query: by name, exactly these and once; None for a value that is another one each time. proof: looks at
    such a value. swaps: patterns of what replaced the placeholder in target and body, and what both sides read there.
    placeholder: whether the caller has to send one.
    """

    fields: Mapping[bytes, bytes | None] = field(default_factory=dict)
    query: Mapping[bytes, bytes | None] = field(default_factory=dict)
    swaps: tuple[tuple[bytes, bytes], ...] = ()
    proof: Callable[[Request], None] | None = None
    placeholder: bool = True


def _bearer(variable: str, prefix: str = "Bearer") -> Known:
    return Known({b"authorization": f"{prefix} {SECRETS[variable]}".encode()})


def _token_of_an_endpoint() -> Known:
    return Known({b"authorization": b"Bearer " + ACCESS_TOKEN.encode()}, placeholder=False)


def _basic(user: str, password: str) -> dict[bytes, bytes | None]:
    return {b"authorization": b"Basic " + basic(user, password)}


def _secret(variable: str) -> bytes:
    return SECRETS[variable].encode()


def _signed_by_hotelbeds_recipe(request: Request) -> None:
    """The provider takes signatures of the last few seconds."""
    now = int(time.time())
    both = SECRETS["HOTELBEDS_API_KEY"] + SECRETS["HOTELBEDS_SECRET"]
    recent = [hashlib.sha256(f"{both}{at}".encode()).hexdigest().encode() for at in range(now - 60, now + 1)]
    assert values(request.head, b"x-signature")[0] in recent


def _signed_by_key_pair(request: Request) -> None:
    """Snowflake: RS256, from the account's user and the fingerprint of the public key."""
    token = values(request.head, b"authorization")[0].removeprefix(b"Bearer ")
    claims = jwt.decode(token, rsa_key().public_key(), algorithms=["RS256"])
    assert claims["sub"] == "ACCOUNT.USER"
    assert claims["iss"].startswith("ACCOUNT.USER.SHA256:")


def _signed_for_apple(request: Request) -> None:
    """Apple: ES256, from the team about the client; public keys are asked for without."""
    if request.method != b"POST":
        return
    (token,) = parse_qs(request.body.decode())["client_secret"]
    claims = jwt.decode(token, ec_key().public_key(), algorithms=["ES256"], audience="https://appleid.apple.com")
    assert (claims["iss"], claims["sub"]) == ("TEAMEXAMPLE", "com.example.tide")
    assert jwt.get_unverified_header(token)["kid"] == "KEYEXAMPLE"


_PROOF_OF_FACEBOOK: Final = hmac.new(_secret("FACEBOOK_APP_SECRET"), _secret("FACEBOOK_ACCESS_TOKEN"), "sha256")
_MIXPANEL_TOKEN: Final = ((re.escape(_secret("MIXPANEL_TOKEN")), b"placeholder"),)
_MINTED_FIRST: Final = rb'\A\{"idempotency_key":"[0-9a-f]{8}-[0-9a-f-]{27}",\s*'

KNOWN: Final[Mapping[str, Known]] = {
    "algolia": Known({
        b"x-algolia-application-id": _secret("ALGOLIA_APP_ID"), b"x-algolia-api-key": _secret("ALGOLIA_API_KEY")
    }),
    "anthropic": Known({b"x-api-key": _secret("ANTHROPIC_API_KEY")}),
    "apple": Known(swaps=((b"client_secret=[^&]+", b"client_secret="),), proof=_signed_for_apple),
    "aws-lambda": Known({b"authorization": None, b"x-amz-date": None}, proof=signed_by_aws),
    "aws-s3": Known({b"authorization": None, b"x-amz-date": None}, proof=signed_by_aws),
    "aws-ses": Known({b"authorization": None, b"x-amz-date": None}, proof=signed_by_aws),
    "aws-sns": Known({b"authorization": None, b"x-amz-date": None}, proof=signed_by_aws),
    "aws-sqs": Known({b"authorization": None, b"x-amz-date": None}, proof=signed_by_aws),
    "azure-blob": Known({b"authorization": None, b"x-ms-date": None}, proof=signed_by_azure, placeholder=False),
    "bigquery": _token_of_an_endpoint(),
    "cloudinary": Known(_basic(SECRETS["CLOUDINARY_API_KEY"], SECRETS["CLOUDINARY_API_SECRET"])),
    "discord": _bearer("DISCORD_BOT_TOKEN", "Bot"),
    "edamam": Known(
        query={b"app_id": _secret("EDAMAM_APP_ID"), b"app_key": _secret("EDAMAM_APP_KEY")}, placeholder=False
    ),
    "elasticsearch": _bearer("ELASTICSEARCH_API_KEY", "ApiKey"),
    "facebook": Known(
        {b"authorization": b"Bearer " + _secret("FACEBOOK_ACCESS_TOKEN")},
        {b"appsecret_proof": _PROOF_OF_FACEBOOK.hexdigest().encode()},
        placeholder=False,
    ),
    "facebook-login": Known(query={b"client_secret": _secret("FACEBOOK_APP_SECRET")}, placeholder=False),
    "fcm": Known({b"authorization": b"Bearer " + ACCESS_TOKEN.encode()}, placeholder=False),
    "github": _bearer("GITHUB_TOKEN"),
    "google": _token_of_an_endpoint(),
    "hotelbeds": Known(
        {b"api-key": _secret("HOTELBEDS_API_KEY"), b"x-signature": None},
        proof=_signed_by_hotelbeds_recipe,
        placeholder=False,
    ),
    "mailgun": Known(_basic("api", SECRETS["MAILGUN_API_KEY"])),
    "mixpanel": Known(swaps=_MIXPANEL_TOKEN),
    "mixpanel-import": Known(
        _basic(SECRETS["MIXPANEL_SERVICE_ACCOUNT"], SECRETS["MIXPANEL_SERVICE_SECRET"]), swaps=_MIXPANEL_TOKEN
    ),
    "openai": _bearer("OPENAI_API_KEY"),
    "paypal": _token_of_an_endpoint(),
    "perplexity": _bearer("PERPLEXITY_API_KEY"),
    "posthog": Known(swaps=((_secret("POSTHOG_PROJECT_TOKEN"), b"phc_placeholder"),)),
    "qstash": _bearer("QSTASH_TOKEN"),
    "segment": Known(
        _basic(SECRETS["SEGMENT_WRITE_KEY"], ""), swaps=((_secret("SEGMENT_WRITE_KEY"), b"placeholder"),)
    ),
    "sendgrid": _bearer("SENDGRID_API_KEY"),
    "shopify": Known({b"x-shopify-access-token": _secret("SHOPIFY_ACCESS_TOKEN")}, placeholder=False),
    "shopify-storefront": Known(
        {b"shopify-storefront-private-token": _secret("SHOPIFY_STOREFRONT_TOKEN")}, placeholder=False
    ),
    "slack": _bearer("SLACK_BOT_TOKEN"),
    "slack-webhooks": Known(swaps=((b"/services/" + _secret("SLACK_WEBHOOK_PATH"), b"/services/placeholder"),)),
    "snowflake": Known({b"authorization": None}, proof=_signed_by_key_pair, placeholder=False),
    "spoonacular": Known({b"x-api-key": _secret("SPOONACULAR_API_KEY")}, placeholder=False),
    "square": replace(_bearer("SQUARE_ACCESS_TOKEN"), swaps=((_MINTED_FIRST, b"{"),)),
    "stripe": _bearer("STRIPE_SECRET_KEY"),
    "svix": _bearer("SVIX_TOKEN"),
    "twilio": Known(
        _basic(ACCOUNT_SID, SECRETS["TWILIO_AUTH_TOKEN"]),
        swaps=((rb"\A(/2010-04-01/Accounts)/ACexample\b", rb"\1/ACplaceholder"),),
    ),
    "upstash-redis": _bearer("UPSTASH_REDIS_REST_TOKEN"),
}  # fmt: skip
"""By preset."""
