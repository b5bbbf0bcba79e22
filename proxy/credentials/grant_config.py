"""The settings of the scheme `oauth2`, and which of them each grant needs."""

from typing import Annotated, Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from proxy.core.secret import DocumentRefs, SecretRefs
from proxy.core.units import Duration, is_loopback
from proxy.credentials.assertions import Algorithm, require_libraries
from proxy.credentials.given import Text
from proxy.credentials.scheme import FieldName, Prefix, SchemeConfig
from proxy.sansio.signing import header_part

GOOGLE_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GITHUB_API_URL: Final = "https://api.github.com"


def _token_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("https", "http") or not url.hostname or not text.isascii() or not text.isprintable():
        raise ValueError("not a URL: write https://auth.example.com/oauth/token")
    if url.username is not None or url.fragment or " " in text:
        raise ValueError(
            "a token_url holds no user name, fragment or space: write https://auth.example.com/oauth/token"
        )
    if url.scheme != "https" and not is_loopback(url.hostname):
        raise ValueError("secrets are sent there: write https://; http:// is for loopback addresses")
    return text


def _absolute(text: str) -> str:
    if not text.startswith("/") or text.endswith("/") or "\0" in text:
        raise ValueError("not an absolute path of a file: write /var/lib/tidegate/refresh-token")
    return text


class _Keys(NamedTuple):
    needed: tuple[str, ...]
    allowed: frozenset[str]


_ALWAYS: Final = frozenset({"scheme", "mode", "grant", "token_url", "header", "prefix", "lifetime"})
_SIGNED: Final = frozenset({"private_key", "key_id", "algorithm", "assertion_audience"})
_CLIENT: Final = frozenset({"client_id", "client_secret", "client_auth"})
_ASKED: Final = frozenset({"scope", "audience", "extra"})
_GRANTS: Final[dict[str, _Keys]] = {
    "client_credentials": _Keys(("token_url", "client_id"), _SIGNED | _CLIENT | _ASKED),
    "refresh_token": _Keys(("token_url", "client_id", "refresh_token"), _SIGNED | _CLIENT | _ASKED | {"persist"}),
    "jwt_bearer": _Keys(("token_url", "private_key", "issuer"), _SIGNED | _CLIENT | _ASKED | {"subject", "claims"}),
    "google_service_account": _Keys(("service_account", "scope"), frozenset({"subject"})),
    "github_app": _Keys(("app_id", "installation_id", "private_key"), frozenset()),
}


class OAuth2Config(SchemeConfig):
    """Where an access token comes from. Texts may be plain or references.

    grant: how it is asked for. token_url: of the endpoint; for github_app the API's root, for a server of one's own.
    client_id, client_secret, client_auth: who asks: `basic` in a header, `body` in the form (RFC 6749 section 2.3.1),
    `private_key_jwt` by a signed assertion (RFC 7523 section 2.2). private_key (PEM), key_id, algorithm: sign it.
    assertion_audience: its `aud`, the token_url unless written. issuer, subject, claims: of a jwt_bearer assertion;
    subject also the user whom a Google service account stands for. scope, audience, extra: further parameters.
    refresh_token: the first one; persist: a file that keeps those which replace it, one sidecar to a file.
    service_account: Google's JSON key file. app_id, installation_id: of a GitHub App.
    header, prefix: where the token goes. lifetime: of a token whose endpoint does not tell.
    """

    scheme: Literal["oauth2"]
    grant: Literal["client_credentials", "refresh_token", "jwt_bearer", "google_service_account", "github_app"]
    token_url: Annotated[str, AfterValidator(_token_url)] | None = None
    client_id: Text | None = None
    client_secret: SecretRefs | None = None
    client_auth: Literal["basic", "body", "private_key_jwt"] = "basic"
    private_key: DocumentRefs | None = None
    key_id: Text | None = None
    algorithm: Algorithm = "RS256"
    assertion_audience: Text | None = None
    issuer: Text | None = None
    subject: Text | None = None
    claims: dict[str, Text] = {}
    scope: Text | None = None
    audience: Text | None = None
    extra: dict[str, Text] = {}
    refresh_token: SecretRefs | None = None
    persist: Annotated[str, AfterValidator(_absolute)] | None = None
    service_account: DocumentRefs | None = None
    app_id: Text | None = None
    installation_id: Text | None = None
    header: FieldName = "Authorization"
    prefix: Prefix | None = "Bearer"
    lifetime: Duration = Field(default=3600.0, gt=0)

    @property
    def changes(self) -> frozenset[str]:
        """Where the token goes."""
        return frozenset({header_part(self.header)})

    @property
    def url(self) -> str:
        """The endpoint's address, the grant's own where none is written."""
        standard = {"google_service_account": GOOGLE_TOKEN_URL, "github_app": GITHUB_API_URL}
        return self.token_url or standard[self.grant]

    @model_validator(mode="after")
    def _fits_the_grant(self) -> Self:
        needed, allowed = _GRANTS[self.grant]
        given = {key for key in self.model_fields_set if getattr(self, key) not in (None, {})}
        if missing := [key for key in needed if key not in given]:
            raise ValueError(f"the grant {self.grant} needs {', '.join(missing)}")
        if foreign := sorted(given - _ALWAYS - allowed - set(needed)):
            raise ValueError(f"the grant {self.grant} has no use for {', '.join(foreign)}: remove it")
        if self.persist is not None and self.refresh_token is not None and len(self.refresh_token) > 1:
            raise ValueError("with persist write one refresh_token: the endpoint itself gives the next one")
        if self.private_key is not None or self.service_account is not None:
            require_libraries()
        return self

    @model_validator(mode="after")
    def _client_can_be_known(self) -> Self:
        by_key = self.client_auth == "private_key_jwt"
        signs = by_key or self.grant in ("jwt_bearer", "github_app")
        if by_key and (self.private_key is None or self.grant == "jwt_bearer"):
            raise ValueError("client_auth private_key_jwt needs a private_key, and another grant than jwt_bearer")
        if by_key and self.client_secret is not None:
            raise ValueError("client_auth private_key_jwt takes a private_key and no client_secret: remove one")
        if self.private_key is not None and not signs:
            raise ValueError("a private_key is used with client_auth: private_key_jwt: write that, or remove the key")
        if self.grant == "client_credentials" and not by_key and self.client_secret is None:
            raise ValueError("the grant client_credentials needs client_secret, or client_auth: private_key_jwt")
        if self.client_secret is not None and self.client_id is None:
            raise ValueError("a client_secret needs the client_id that goes with it")
        return self
