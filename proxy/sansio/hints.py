"""What a provider's headers say about waiting and trying again. Reads anything, raises never."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from proxy.core.call import Headers, field_value, field_values
from proxy.core.profile import Profile

LONGEST_S: Final = 31 * 86400.0
"""A longer wait is an instant that was taken for a wait, or junk; it is ignored."""

UNKNOWN_RENEWAL_S: Final = 60.0
"""How long a used-up quota is believed in when nothing tells its renewal."""

_LONGEST_VALUE: Final = 64  # bytes; no date or number needs more
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,30})?", re.ASCII)
_DURATION_PART: Final = re.compile(r"(\d{1,15}(?:\.\d{1,30})?)(d|h|ms|m|us|s)", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_UNIT_S: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}

_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_HTTP_DATES: Final = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"[A-Za-z]{{3}}, (?P<day>\d\d) (?P<month>[A-Za-z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[A-Za-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[A-Za-z]{{3}})-(?P<year>\d\d) {_TIME} GMT",
        rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_Read = Callable[[str, float], float | None]


class Hints:
    """Reads the waiting and retrying headers of one provider's profile."""

    def __init__(self, profile: Profile) -> None:
        self._resets = [
            (reset.header.encode(), _READERS[reset.unit], None if reset.when_zero is None else reset.when_zero.encode())
            for reset in profile.resets
        ]
        self._renewal = profile.renewal
        self._should_retry = None if profile.should_retry is None else profile.should_retry.encode()

    def wait_s(self, headers: Headers, wall: float) -> float | None:
        """Say how long the provider wants us to wait: the longest of its hints.

        wall: unix seconds. Returns: seconds, 0 for an instant that has passed, None without a usable hint.
        Source: RFC 9110 section 10.2.3 (Retry-After); the other headers are the providers' own.
        """
        longest: float | None = None
        for name, read, gate in self._resets:
            if gate is not None and not _is_zero(field_value(headers, gate)):
                continue
            for raw in field_values(headers, name):
                found = _try_read(read, raw, wall)
                if found is not None and (longest is None or found > longest):
                    longest = found
        return longest

    def renewal_s(self, wall: float) -> float:
        """Say when a quota that is used up comes back, where no header tells.

        wall: unix seconds. Returns: seconds, 60 where nobody knows.
        """
        today = datetime.fromtimestamp(wall, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self._renewal == "utc_day":
            renewed = today + timedelta(days=1)
        elif self._renewal == "utc_month":
            renewed = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
        else:
            return UNKNOWN_RENEWAL_S
        return renewed.timestamp() - wall

    def should_retry(self, headers: Headers) -> bool | None:
        """Say what the provider thinks of a retry: True, False, or None when it does not say."""
        raw = None if self._should_retry is None else field_value(headers, self._should_retry)
        return None if raw is None else {b"true": True, b"false": False}.get(raw.strip().lower())


def _try_read(read: _Read, raw: bytes, wall: float) -> float | None:
    if len(raw) > _LONGEST_VALUE or not raw.isascii():
        return None
    wait_s = read(raw.decode("ascii").strip(), wall)
    return None if wait_s is None or wait_s > LONGEST_S else max(0.0, wait_s)


def _is_zero(raw: bytes | None) -> bool:
    return raw is not None and len(raw) <= _LONGEST_VALUE and raw.isascii() and _try_number(raw.decode().strip()) == 0


def _try_number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _try_http_date(text: str, wall: float) -> float | None:
    match = next(filter(None, (pattern.fullmatch(text) for pattern in _HTTP_DATES)), None)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    year, month = int(match["year"]), _MONTHS.index(match["month"].lower()) + 1
    if len(match["year"]) == 2:
        # RFC 9110 section 5.6.7: two digits that seem more than 50 years ahead mean the past.
        this_year = datetime.fromtimestamp(wall, UTC).year
        year += this_year - this_year % 100
        year -= 100 if year > this_year + 50 else 0
    second = min(int(match["second"]), 59)  # the grammar allows a leap second
    try:
        at = datetime(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=UTC)
    except ValueError:
        return None
    return at.timestamp() - wall


def _try_rfc3339(text: str, wall: float) -> float | None:
    try:
        at = datetime.fromisoformat(text.upper())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - wall
    except ValueError:
        return None


def _try_auto(text: str, wall: float) -> float | None:
    for read in (_try_scaled(1.0), _try_http_date, _try_rfc3339):
        wait_s = read(text, wall)
        if wait_s is not None:
            return wait_s
    return None


def _try_duration(text: str, _wall: float) -> float | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(count) * _UNIT_S[unit] for count, unit in _DURATION_PART.findall(text))


def _try_scaled(scale: float, instant: bool = False) -> _Read:
    def read(text: str, wall: float) -> float | None:
        number = _try_number(text)
        return None if number is None else number * scale - (wall if instant else 0.0)

    return read


_READERS: Final[dict[str, _Read]] = {
    "auto": _try_auto,
    "seconds": _try_scaled(1.0),
    "milliseconds": _try_scaled(0.001),
    "epoch": _try_scaled(1.0, instant=True),
    "epoch_ms": _try_scaled(0.001, instant=True),
    "date": _try_http_date,
    "rfc3339": _try_rfc3339,
    "duration": _try_duration,
}
