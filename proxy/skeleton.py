"""Writes the beginning of a preset: every key with what it is for, valid as it stands."""

from pathlib import Path
from typing import Final

from proxy.presets import Presets
from proxy.settings import PROVIDER_NAME, RESERVED

DEFAULT_FOLDER: Final = "catalogue"

_COMMAND: Final = "new"  # `tidegate providers new` does not show a provider

_TEXT: Final = """\
# What tidegate knows about @TITLE@. Three values are needed; the rest is what the provider's documentation tells. A key
# with `# ` before it shows an example: take that away where it applies, and leave out what you do not know, because a
# guess is worse than a default. Write the source beside the value, so that the next reader can compare it.

base_url: https://api.@NAME@.example # scheme, host and, where all paths share one, a prefix; {shop} is filled from vars
# Schemes: bearer, basic, header, query, path, body, hmac, sigv4, azure_shared_key, oauth2, jwt and all.
# Their keys: docs/credentials.md. A secret is env:NAME, file:/path, exec:/command where the configuration allows that,
# or a list of two while one replaces the other.
credential: {scheme: bearer, token: env:@VARIABLE@}

# How calls are treated; without a section its default holds (`tidegate explain @NAME@` shows all of them).
# deadline: {total: 30s} # for the whole call, all attempts and waits included
# timeout: {connect: 3.5s, attempt: 10s, body_idle: 30s} # for one attempt
# retry: {attempts: 3} # `off` never sends twice
# rate_limit: {limits: [50/1s, 1000/1h], unhinted_pause: 5s} # what the provider allows; the pause after a mere 429
# breaker: {failures: 5, open: 5s} # after so many failures in a row nothing is sent for a while
# bulkhead: {in_flight: 64} # calls at the same time
# idempotency: {mint: true} # false: no keys are made, though the profile says so
# vars: {shop: demo} # defaults of what stands in braces in an address
# tls: {min_version: 1.2} # client_certificate, client_key, ca and pins as well
# pool: {max_idle: 64} # connections
# trace: restart # or pass: the caller's traceparent goes through
# rewrite_urls: true # absolute URLs in answers lead back through tidegate
# allow_private: false # whether the host name may resolve to a private address
# allow_cleartext: false # whether http:// may go to another machine

# What the provider is: facts, as its documentation or its SDK tells them.
profile:
  title: "@TITLE@"
  # docs: https://docs.@NAME@.example # where it is documented
  # status_page: https://status.@NAME@.example # where it tells that it is down
  # notes: [What whoever uses it should know.] # shown by `tidegate providers @NAME@`
  # unverified: [What you assume without a source.] # shown there, too
  # verified: {auth: {date: 2026-11-20, how: its documentation on authentication}} # by block: when, and against what
  # unsupported: "" # why tidegate can't serve it yet; a configuration that names it is then refused
  # hosts: {sandbox: "https://sandbox.@NAME@.example"} # further addresses, chosen with `host: sandbox`
  # version: {header: @HEADER@-Version, value: "2026-11-20"} # by which callers choose the API's version

  # Where the caller's own credential may stand besides the usual headers; it is taken out there.
  # strip_headers: [x-@NAME@-key]
  # strip_query: [api_key]
  # token_path: /oauth/token # where SDKs fetch access tokens; they get a placeholder, because tidegate has the real one

  # What an answer means, beyond 429 (throttled), 401 (unauthorised) and 5xx (failed). A rule is a status and, if that
  # is not enough, a header, a field of a JSON body, or a pattern in the body. A list replaces the default whole.
  # throttled: [{status: 429}, {status: 403, header: x-limit-remaining, equals: "0"}] # wait, then send again
  # exhausted: [{status: 402}, {status: 429, field: error.code, equals: quota_used_up}] # hold all calls until renewed
  # unauthorised: [{status: 401}, {status: 403, field: error.code, equals: token_expired}] # the credential is refused
  # failed: [{status: 200, field: error.type, equals: server_error}] # the provider's failure
  # refused: [{status: 200, field: error.type, equals: bad_request}] # the caller's mistake
  # renewal: utc_day # or utc_month: when a quota comes back, where no header tells
  # should_retry: x-should-retry # the header by which the provider, and so tidegate, says whether to retry
  # resets: [{header: retry-after}, {header: x-limit-reset, unit: epoch}] # which headers tell a wait, and in which unit
  # published: [{limit: 50/1s, what: an account}] # limits that it publishes; `tidegate check` compares with them

  # A POST is sent again only with a key by which the provider recognises it. mint: whether tidegate makes one where the
  # caller sent none. In place of header: field (of a JSON body) or query. `header: null`: it knows no key.
  idempotency: {header: null}
  # repeatable: [{methods: [POST], path: /v1/search}] # calls that change nothing, whatever their method says

  # request_id: x-request-id # the provider's own id of a call, for the log
  # attempt_header: x-attempt # by which its SDK tells how often it has tried, for the log
  # paths: ["/v1/orders/{id}"] # how paths are shown in the log, so that they hold no ids
  # secret_paths: ["/hooks/{secret}"] # paths that hold a secret
  # sensitive_query: [email] # query keys that are never shown
  # sensitive_fields: [card.number] # fields of bodies that are never shown
  # secret_patterns: [{pattern: "@SHORT@_[A-Za-z0-9]{20,}", contains: [@SHORT@_]}] # the shape of its secrets
  # pass_headers: [x-@NAME@-region] # answer headers without which its SDK does not work
  # urls: {fields: [next_page_url, "links[].href"]} # where bodies hold absolute URLs that lead back to the provider
  # dot_segments: false # whether its paths may hold . and ..
  # webhook: {scheme: standard_webhooks, header: webhook-signature, tolerance: 300, dedupe: webhook-id} # how it signs
  # sdk: {python: 'Client("placeholder", base_url="{base}")'} # node and env as well; {base} is its address on tidegate
"""

_NEXT: Final = """\
wrote {file}
Next:
  1. Write base_url, credential and what you know of the profile into {file}.
  2. Name its folder and the provider in your configuration:
       catalogue: {folder}
       providers: {{{name}: {{}}}}
  3. export {variable}=..., then look at what came of it:
       tidegate check
       tidegate providers {name} --catalogue {folder}
       tidegate explain {name} POST /some/path"""


def skeleton(name: str) -> str:
    """Return the beginning of a preset of this name, as YAML."""
    words = {
        "@TITLE@": name.replace("-", " ").title(),
        "@NAME@": name,
        "@VARIABLE@": _variable(name),
        "@HEADER@": name.title(),
        "@SHORT@": name.replace("-", "_")[:2],
    }
    text = _TEXT
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def write_skeleton(name: str, folder: Path) -> str:
    """Write it into a folder, which is made if need be.

    Returns: what to do next, for people. Raises: ValueError for a name that can't be one or is taken, OSError.
    """
    if not PROVIDER_NAME.fullmatch(name) or name in RESERVED | {_COMMAND}:
        raise ValueError(f"{name!r} can't be a provider's name; write small letters, digits and hyphens, such as acme")
    if name in Presets().names:
        raise ValueError(f"{name} is in the catalogue already; write what is different under providers.{name}")
    file = folder / f"{name}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(skeleton(name))
    except FileExistsError:
        raise ValueError(f"{file} exists and is left as it is; take another name, or move it away") from None
    return _NEXT.format(file=file, folder=folder, name=name, variable=_variable(name))


def _variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_TOKEN"
