"""How each grant of OAuth 2.0 asks its endpoint for an access token (RFC 6749, RFC 7523)."""

import uuid
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import orjson

from proxy.core.call import Headers
from proxy.core.errors import CredentialMissing
from proxy.core.secret import SecretRefs
from proxy.credentials.assertions import Assertions
from proxy.credentials.given import Given
from proxy.credentials.grant_config import GOOGLE_TOKEN_URL, OAuth2Config
from proxy.credentials.kept import KeptToken

Form = dict[str, str]

_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_CLIENT: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BEHIND_S: Final = 5  # the other side's clock may be slow
_AHEAD_S: Final = 55  # long enough for the retries of one fetch; some providers refuse more than a minute


@dataclass(frozen=True, slots=True)
class Ask:
    """What is posted to a token endpoint: the target below its root, the headers and the body."""

    target: bytes
    headers: Headers
    body: bytes


class Grant(ABC):
    """One way to ask for a token.

    root, target: the endpoint's URL in two parts. repeatable: whether a request may be sent again after the endpoint
    has seen it. token_key: where the token stands in the answer. keys: sign assertions. kept: the refresh token.
    """

    repeatable: ClassVar[bool] = True
    token_key: ClassVar[str] = "access_token"  # noqa: S105 - a key in the answer
    kept: KeptToken | None = None

    def __init__(self, config: OAuth2Config, given: Given) -> None:
        self.config = config
        self.given = given
        url = urlsplit(config.url)
        self.root = f"{url.scheme}://{url.netloc}"
        self.target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        refs = config.private_key
        self.keys = None if refs is None else Assertions(lambda: given.read(refs), given.where(refs), config.algorithm)

    def ask(self, ts: float) -> Ask:
        """Return the request. ts: unix seconds. Raises: CredentialMissing."""
        config = self.config
        headers: Headers = [(b"Content-Type", b"application/x-www-form-urlencoded")]
        form = self.form(ts)
        for key, value in (("scope", config.scope), ("audience", config.audience)):
            self._put(form, key, value)
        self._tell_client(form, headers, ts)
        for key, value in config.extra.items():
            self._put(form, key, value)
        return self._asked(self.target, headers, urlencode(form).encode())

    @abstractmethod
    def form(self, ts: float) -> Form:
        """Return the grant's own parameters. Raises: CredentialMissing."""

    def read(self, value: SecretRefs | str | None) -> str:
        """Return a setting that the grant needs. Raises: CredentialMissing."""
        return "" if value is None else self.given.read(value)

    def _put(self, form: Form, key: str, value: SecretRefs | str | None) -> None:
        if value is not None:
            form[key] = self.given.read(value)

    def _tell_client(self, form: Form, headers: Headers, ts: float) -> None:
        config = self.config
        if config.client_id is None:
            return
        client_id = self.read(config.client_id)
        if config.client_auth == "private_key_jwt":
            form |= {"client_id": client_id, "client_assertion_type": _JWT_CLIENT}
            form["client_assertion"] = self.assert_client(client_id, ts)
        elif config.client_secret is None:
            form["client_id"] = client_id
        elif config.client_auth == "body":
            form |= {"client_id": client_id, "client_secret": self.read(config.client_secret)}
        else:  # both parts are form-encoded first (RFC 6749 section 2.3.1)
            pair = f"{quote_plus(client_id)}:{quote_plus(self.read(config.client_secret))}"
            headers.append((b"Authorization", b"Basic " + b64encode(pair.encode())))

    def assert_client(self, client_id: str, ts: float) -> str:
        """Return the client's own assertion (RFC 7523 section 3). Raises: CredentialMissing."""
        return self._assert({"iss": client_id, "sub": client_id}, ts)

    def _assert(self, claims: dict[str, object], ts: float) -> str:
        config = self.config
        aud = self.read(config.assertion_audience) or config.url
        times = {"iat": int(ts) - _BEHIND_S, "exp": int(ts) + _AHEAD_S}
        key_id = None if config.key_id is None else self.read(config.key_id)
        return self.sign({"aud": aud, **times, "jti": str(uuid.uuid4()), **claims}, key_id)

    def sign(self, claims: dict[str, object], key_id: str | None = None) -> str:
        """Return the claims, signed with the private key. Raises: CredentialMissing."""
        if self.keys is None:
            raise CredentialMissing("no private_key is configured: write private_key: file:/path")
        return self.keys.sign(claims, key_id)

    @staticmethod
    def _asked(target: str, headers: Headers, body: bytes) -> Ask:
        first: Headers = [(b"User-Agent", b"tidegate"), (b"Accept", b"application/json")]
        return Ask(target.encode(), [*first, *headers, (b"Content-Length", b"%d" % len(body))], body)


class ClientCredentials(Grant):
    """The client asks for itself (RFC 6749 section 4.4)."""

    def form(self, ts: float) -> Form:  # noqa: ARG002 - the client alone is told
        """Return the grant's own parameters."""
        return {"grant_type": "client_credentials"}


class RefreshToken(Grant):
    """A user once allowed it (RFC 6749 section 6). What is sent twice may cost the grant: some endpoints take a
    second use of a refresh token for theft (RFC 9700 section 4.14).
    """

    repeatable = False
    kept: KeptToken

    def __init__(self, config: OAuth2Config, given: Given) -> None:
        super().__init__(config, given)
        self.kept = KeptToken(lambda: self.read(config.refresh_token), config.persist)

    def form(self, ts: float) -> Form:  # noqa: ARG002 - a refresh token has no time
        """Return the grant's own parameters. Raises: CredentialMissing."""
        return {"grant_type": "refresh_token", "refresh_token": self.kept.current()}


class JwtBearer(Grant):
    """A signed assertion stands for the user (RFC 7523 section 2.1)."""

    def form(self, ts: float) -> Form:
        """Return the grant's own parameters. Raises: CredentialMissing."""
        config = self.config
        claims: dict[str, object] = {"iss": self.read(config.issuer)}
        if config.subject is not None:
            claims["sub"] = self.read(config.subject)
        claims |= {key: self.read(value) for key, value in config.claims.items()}
        return {"grant_type": _JWT_BEARER, "assertion": self._assert(claims, ts)}


class ServiceAccount(Grant):
    """A Google service account signs with its own key; its `aud` stays Google's, wherever the endpoint is."""

    def __init__(self, config: OAuth2Config, given: Given) -> None:
        super().__init__(config, given)
        self.keys = Assertions(lambda: self._part("private_key"), self._where, "RS256")

    def ask(self, ts: float) -> Ask:
        """Return the request, which has the scope in its assertion. Raises: CredentialMissing."""
        headers: Headers = [(b"Content-Type", b"application/x-www-form-urlencoded")]
        return self._asked(self.target, headers, urlencode(self.form(ts)).encode())

    def form(self, ts: float) -> Form:
        """Return the grant's own parameters. Raises: CredentialMissing."""
        now = int(ts)
        claims: dict[str, object] = {
            "iss": self._part("client_email"),
            "scope": self.read(self.config.scope),
            "aud": GOOGLE_TOKEN_URL,
        }
        if self.config.subject is not None:
            claims["sub"] = self.read(self.config.subject)
        signed = self.sign({**claims, "iat": now, "exp": now + 3600}, self._part("private_key_id"))
        return {"grant_type": _JWT_BEARER, "assertion": signed}

    @property
    def _where(self) -> str:
        return self.given.where(self.config.service_account or SecretRefs())

    def _part(self, name: str) -> str:
        try:
            part: Any = orjson.loads(self.read(self.config.service_account))[name]
        except (ValueError, TypeError, KeyError):
            part = None
        if not isinstance(part, str):
            text = f"the secret {self._where} has no {name}: put the service account's JSON key file there, unchanged"
            raise CredentialMissing(text)
        return part


class GitHubApp(Grant):
    """A GitHub App asks for a token of one installation."""

    token_key = "token"  # noqa: S105 - a key in the answer

    def ask(self, ts: float) -> Ask:
        """Return the request, which the App signs for. Raises: CredentialMissing."""
        config = self.config
        now = int(ts)
        # A minute in the past against clocks that differ; ten minutes are the most that GitHub takes.
        signed = self.sign({"iss": self.read(config.app_id), "iat": now - 60, "exp": now + 540})
        installation = quote_plus(self.read(config.installation_id))
        target = f"{self.target.rstrip('/')}/app/installations/{installation}/access_tokens"
        return self._asked(target, [(b"Authorization", f"Bearer {signed}".encode())], b"")

    def form(self, ts: float) -> Form:  # noqa: ARG002 - nothing is asked for but the token
        """Return nothing: the address tells it all."""
        return {}


_GRANTS: Final[dict[str, type[Grant]]] = {
    "client_credentials": ClientCredentials,
    "refresh_token": RefreshToken,
    "jwt_bearer": JwtBearer,
    "google_service_account": ServiceAccount,
    "github_app": GitHubApp,
}


def grant_of(config: OAuth2Config, given: Given) -> Grant:
    """Return the grant that the settings name."""
    return _GRANTS[config.grant](config, given)
