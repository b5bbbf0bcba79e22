"""Explains a call that happened: from its line in the log, and the configuration of now."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from proxy.config import Provider, Settings
from proxy.sansio.waterfall import Bar, waterfall
from proxy.settings import Leg
from proxy.wording import deadline_of, limits_of, timeouts_of

_WORTH_TELLING: Final = 0.01
"""The least share of a call's time that is told."""

_OUTCOMES: Final = {
    "ok": "a success",
    "failed": "a failure of the provider's",
    "throttled": "a refusal because of too many calls",
    "unauthorised": "a refusal of the credential",
    "exhausted": "a sign that the quota is used up",
    "refused": "the caller's mistake, and no failure of the provider's",
    "ignored": "nothing that tells about the provider",
}
_KINDS: Final = {
    "receive": "the caller's body",
    "queue": "the queue for a place in flight",
    "limiter": "the rate limit",
    "backoff": "waits between attempts",
    "dns": "resolving the host name",
    "connect": "connecting",
    "tls": "the TLS handshake",
    "first_byte": "waiting for the provider",
    "body": "the answer's body",
    "own": "tidegate itself",
}


def explained(raw: bytes, settings: Settings, read_ts: float) -> dict[str, object]:
    """Return `call`, the line; `waterfall`, its time as bars; and `explanation`, sentences for people.

    raw: the call's line as JSON, redacted. settings: of now. read_ts: unix seconds at which they were read.
    """
    line = orjson.loads(raw)
    bars = waterfall(line)
    return {"call": line, "waterfall": bars, "explanation": list(_Story(line, settings, read_ts).told(bars))}


class _Story:
    def __init__(self, line: Mapping[str, Any], settings: Settings, read_ts: float) -> None:
        self._line = line
        self._settings = settings
        self._provider = settings.providers.get(line["provider"])
        self._read_ts = read_ts

    def told(self, bars: list[Bar]) -> Iterator[str]:
        yield from self._way()
        yield from self._configured()
        yield from self._attempts()
        for note in self._line.get("notes", []):
            yield f"At {_ms(note['at_ms'])}, {note['section']}: {note['text']}."
        yield self._answer()
        yield from self._verdict()
        yield from _time(bars, self._line["duration_ms"])
        yield from self._ids()

    def _way(self) -> Iterator[str]:
        line, provider = self._line, self._provider
        name = line["provider"]
        if name == "-":
            yield f"{line['method']} came with a path or host that leads to no provider."
            return
        asked = f"{line['method']} {line['path']} was for the provider {name}"
        account = line.get("account", "")
        if provider is None:
            yield f"{asked}, which is not in the configuration any more."
            return
        leg = _leg(provider, account)
        if leg is None:
            yield f"{asked} with the account {account}, which is not in the configuration any more."
            return
        whose = f" with the account {account}" if account else ""
        where = "the built-in mock provider" if leg.base_url.scheme == "builtin" else str(leg.base_url)
        yield f"{asked}{whose}, at {where}."

    def _configured(self) -> Iterator[str]:
        provider = self._provider
        leg = None if provider is None else _leg(provider, self._line.get("account", ""))
        if provider is None or leg is None:
            return
        if datetime.fromisoformat(self._line["ts"]).timestamp() < self._read_ts:
            yield "The configuration was read again after this call; what follows of it may have been otherwise."
        yield (
            f"Configured: deadline {deadline_of(provider)}; limits {limits_of(leg)}; timeouts {timeouts_of(leg)}; "
            f"{_attempts_of(leg)}."
        )

    def _attempts(self) -> Iterator[str]:
        line = self._line
        earlier, attempts = line.get("earlier", []), line["attempts"]
        if not attempts:
            yield "Nothing was sent."
        for number, one in enumerate(earlier, 1):
            got = f"failed ({one['cause']})" if one["status"] is None else f"got {one['status']}"
            yield (
                f"Attempt {number} began at {_ms(one['at_ms'])}, took {_ms(one['duration_ms'])} and {got}; "
                f"the next one was put off by {_ms(one['wait_ms'])}."
            )
        if earlier and attempts > len(earlier):
            yield f"Attempt {attempts}, the last, began at {_ms(line.get('attempt_ms', 0.0))}."

    def _answer(self) -> str:
        line = self._line
        status, reason, took = line["status"], line["reason"], _ms(line["duration_ms"])
        if status is None:
            return f"The caller left after {took}, before there was an answer."
        if line.get("error"):
            return f"The answer was {status}, and was cut short after {took} ({line['error']})."
        if line["source"] == "provider":
            return f"The provider answered {status}; the call was over after {took}."
        if line["source"] == "network":
            return f"The network or the provider failed: the caller got {status}, {reason}, after {took}."
        if reason:
            return f"tidegate refused it: the caller got {status}, {reason}, after {took}."
        return f"tidegate answered {status} itself, in the provider's place, after {took}."

    def _verdict(self) -> Iterator[str]:
        line = self._line
        ruled = any(note["section"] == "verdict" for note in line.get("notes", []))
        by = "by the rule of the profile above" if ruled else "by its plain status"
        meaning = _OUTCOMES.get(line["outcome"], line["outcome"])
        if line["source"] == "provider" and line["status"] is not None:
            yield f"The answer was judged {line['outcome']}, {by}: {meaning}."
        else:
            yield f"For breaker and statistics it counts as {line['outcome']}: {meaning}."

    def _ids(self) -> Iterator[str]:
        line = self._line
        if key := line.get("idempotency_key"):
            yield f"The caller sent no idempotency key, so that tidegate made {key}, the same for all attempts."
        if sdk := line.get("sdk_attempt"):
            yield f"The SDK's own count of its attempts was {sdk}."
        if request_id := line.get("provider_request_id"):
            yield f"The provider calls it {request_id}."
        if trace_id := line.get("trace_id"):
            yield f"Its trace is {trace_id}."


def _leg(provider: Provider, account: str) -> Leg | None:
    return provider.accounts.get(account) if account else provider


def _attempts_of(leg: Leg) -> str:
    retry = leg.section("retry")
    attempts = retry.attempts if retry else 1
    return f"{attempts} attempts at most" if attempts > 1 else "one attempt"


def _time(bars: list[Bar], whole_ms: float) -> Iterator[str]:
    """Tell where the time went, the largest share first."""
    sums: dict[str, float] = {}
    for bar in bars:
        kind = str(bar["kind"])
        sums[kind] = sums.get(kind, 0.0) + float(str(bar["duration_ms"]))
    largest = sorted(sums.items(), key=lambda item: -item[1])
    parts = [
        f"{_KINDS[kind]} {_ms(took)} ({took / whole_ms:.0%})"
        for kind, took in largest
        if took >= _WORTH_TELLING * whole_ms
    ]
    if parts:
        yield f"Of {_ms(whole_ms)}: {', '.join(parts)}."


def _ms(value: float) -> str:
    return (
        f"{value / 1000:.2f} s" if value >= 10_000 else f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"
    )
