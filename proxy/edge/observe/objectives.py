"""Which calls count for which objective, and what `/api/slo`, the console and the metrics tell about it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from proxy.core.call import METHODS
from proxy.core.events import CallEnded, Event
from proxy.core.outcome import Outcome
from proxy.edge.observe.owed import WHYS, Why, exclusion
from proxy.sansio.error_budget import WINDOWS_S, Indicator
from proxy.sansio.slo import FirstPath, Objectives, Slo
from proxy.sansio.templates import path_of

_OK: Final = Outcome.OK  # looking a member up in its class is slow, and every call of these providers is here


class Reading(NamedTuple):
    """An objective as it stands.

    provider, path: whose calls; path is the key of `slo.paths`, "" for all of the provider's. objective: the ratio
    promised. under_s, percentile: of a latency, None otherwise. good, events, bad: since this process began to count.
    budget_remaining: over `window_s`, 1 while untouched and below 0 when overspent; None without events. burn: the
    rate by window, None without events. seen_s: how long has been counted, at most `window_s`. Seconds.
    """

    provider: str
    path: str
    slo: Literal["availability", "latency"]
    objective: float
    under_s: float | None
    percentile: float | None
    window_s: float
    good: int
    events: int
    bad: int
    budget_remaining: float | None
    burn: Mapping[str, float | None]
    seen_s: float


class ObjectiveMeters:
    """Counts the calls that a provider owes against its objectives; see `sansio/slo.py`. now: monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._providers: dict[str, _Provider] = {}

    def configure(self, objectives: Mapping[str, Slo]) -> None:
        """Take these objectives by provider; what was counted goes on, also where their numbers are new."""
        old, now = self._providers, self._now()
        self._providers = {name: _Provider(slo, now, old.get(name)) for name, slo in objectives.items()}

    def observe(self, event: Event) -> None:
        """Count a call that is over; cheap, and never raises."""
        if type(event) is CallEnded:
            provider = self._providers.get(event.provider)
            if provider is not None:
                provider.ended(event)

    def readings(self) -> Iterator[Reading]:
        """Yield every objective as it stands."""
        now = self._now()
        for name, provider in self._providers.items():
            yield from provider.readings(name, now)

    def told(self) -> list[Mapping[str, object]]:
        """Tell every objective, in the fields of `Reading`."""
        return [reading._asdict() for reading in self.readings()]

    def excluded(self) -> Mapping[str, Mapping[Why, int]]:
        """Tell how many calls counted for no objective, by provider and by why."""
        return {name: provider.excluded for name, provider in self._providers.items()}


class _Provider:
    """One provider's objectives: for all of its calls, then for some paths."""

    def __init__(self, slo: Slo, now: float, old: "_Provider | None") -> None:
        known: dict[str, _Meter] = {} if old is None else {"": old.all, **old.paths}
        self.excluded: dict[Why, int] = dict.fromkeys(WHYS, 0) if old is None else old.excluded
        self._window_s = slo.window
        self.all: _Meter = _Meter("", slo, now, known.get(""))
        self.paths: dict[str, _Meter] = {
            path: _Meter(path, promised, now, known.get(path)) for path, promised in slo.paths.items()
        }
        self._first = {method: FirstPath(method, self.paths) for method in METHODS} if self.paths else {}

    def ended(self, event: CallEnded) -> None:
        reply, call = event.reply, event.call
        good = event.source == "provider" and reply is not None and reply.outcome is _OK and not event.error
        if not good and (why := exclusion(event)) is not None:
            self.excluded[why] += 1
            return
        record = call.record
        # What the provider took until its answer began: neither our waits nor a slow reader are its doing.
        began_s, now = record.upstream_s - record.body_s, event.ended_at
        self.all.count(now, began_s, good=good)
        first = self._first.get(call.method)  # none without paths, and for a method that is not served
        path = None if first is None else first.of(path_of(call.target))
        if path is not None:
            self.paths[path].count(now, began_s, good=good)

    def readings(self, name: str, now: float) -> Iterator[Reading]:
        for meter in (self.all, *self.paths.values()):
            yield from meter.readings(name, self._window_s, now)


class _Meter:
    """Counts for what is promised of some calls. old: who counted for them before."""

    def __init__(self, path: str, promised: Objectives, now: float, old: "_Meter | None") -> None:
        self.path = path
        self._availability, self._latency = promised.availability, promised.latency
        self._under_s = 0.0 if self._latency is None else self._latency.under_s
        self.available: Indicator | None = None
        self.fast: Indicator | None = None
        if self._availability is not None:
            self.available = (old and old.available) or Indicator(now)
        if self._latency is not None:
            self.fast = (old and old.fast) or Indicator(now)

    def count(self, now: float, began_s: float, *, good: bool) -> None:
        if self.available is not None:
            self.available.count(now, good=good)
        if good and self.fast is not None:
            self.fast.count(now, good=began_s <= self._under_s)

    def readings(self, provider: str, window_s: float, now: float) -> Iterator[Reading]:
        whose = (provider, self.path)
        if self.available is not None and self._availability is not None:
            yield _reading((*whose, "availability"), self._availability, self.available, window_s, now)
        if self.fast is not None and (latency := self._latency) is not None:
            reading = _reading((*whose, "latency"), latency.objective, self.fast, window_s, now)
            yield reading._replace(under_s=latency.under_s, percentile=latency.percentile)


def _reading(
    which: tuple[str, str, Literal["availability", "latency"]],
    objective: float,
    indicator: Indicator,
    window_s: float,
    now: float,
) -> Reading:
    left = indicator.budget_left(objective, window_s, now)
    burn = {name: indicator.burn_rate(objective, seconds, now) for name, seconds in WINDOWS_S.items()}
    return Reading(
        *which,
        objective=objective,
        under_s=None,
        percentile=None,
        window_s=window_s,
        good=indicator.good,
        events=indicator.events,
        bad=indicator.events - indicator.good,
        budget_remaining=_rounded(left),
        burn={name: _rounded(rate) for name, rate in burn.items()},
        seen_s=indicator.seen_s(window_s, now),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)  # 1 - 0.999 is not quite 0.001
