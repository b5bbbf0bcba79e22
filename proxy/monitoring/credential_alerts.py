"""Alerts about credentials: refused, not to be had, not read again, or soon at their end."""

from collections.abc import Iterator
from typing import Final

from proxy.monitoring.groups import Alert, Severity
from proxy.monitoring.promql import Series
from proxy.monitoring.watched import LEG, PROVIDER, Watched, fetches_tokens, replaces_secrets, shows_certificate

_ENDS: Final[tuple[tuple[Severity, int, str], ...]] = (("ticket", 7 * 86400, "a week"), ("page", 86400, "a day"))


class CredentialAlerts:
    """Writes the alerts; one that no provider can raise is left out.

    None looks at `tidegate_credential_expiry_timestamp_seconds`: it tells when access tokens end, which tidegate
    replaces by itself, so that only a replacement that fails is news.
    """

    def __init__(self, watched: Watched, series: Series) -> None:
        self._watched = watched
        self._series = series

    def told(self) -> Iterator[Alert]:
        """Yield the alerts."""
        yield from self._refused()
        yield from self._unavailable()
        yield from self._unread()
        yield from self._renewals()
        yield from self._certificates()

    def _refused(self) -> Iterator[Alert]:
        if which := self._watched.having("credential"):
            held = self._series("tidegate_credential_held", which)
            yield Alert(
                "TidegateCredentialRefused",
                "page",
                f"count by (provider, account) (min without (secret) ({held}) == 1)",
                "1m",
                f"{LEG} refuses the credential",
                "On {{ $value }} of the replicas the provider has refused it again and again, and all calls but one now"
                " and then are refused with credential_refused. Was it revoked, or replaced at the provider alone? Put"
                " the right secret in its place; a file is read again at once.",
            )
        if which := self._watched.of_legs(replaces_secrets):
            held = self._series("tidegate_credential_held", which, 'secret=~"new|old"')
            yield Alert(
                "TidegateCredentialRefused",
                "ticket",
                f"count by (provider, account, secret) ({held} == 1)",
                "5m",
                f"{LEG} refuses the {{{{ $labels.secret }}}} one of two secrets",
                "On {{ $value }} of the replicas it is left alone, and calls go out with the other one. A new one that"
                " is refused is wrong or not active yet; an old one that is refused has been revoked, and can go.",
            )

    def _unavailable(self) -> Iterator[Alert]:
        if which := self._watched.credentialled():
            refused = self._series("tidegate_requests_total", which, 'reason=~"credential_missing|token_unavailable"')
            yield Alert(
                "TidegateCredentialUnavailable",
                "page",
                f"sum by (provider) (increase({refused}[5m])) > 0",
                "1m",
                f"There is no credential for {PROVIDER}",
                "About {{ $value | humanize }} calls of the last five minutes were refused, because a secret can't be"
                " read or no access token is to be had. /readyz and the answers' detail say which and why.",
            )

    def _unread(self) -> Iterator[Alert]:
        if which := self._watched.rereading():
            yield Alert(
                "TidegateSecretUnreadable",
                "ticket",
                f"count by (provider, account) ({self._series('tidegate_credential_unreadable', which)} == 1)",
                "5m",
                f"A secret of {LEG} can't be read any more",
                "On {{ $value }} of the replicas the last good one stays in use, and a restart would leave it without."
                " /api/providers tells which file or command it is, and what is wrong with it.",
            )

    def _renewals(self) -> Iterator[Alert]:
        if which := self._watched.of_legs(fetches_tokens):
            failed, fetched = (
                f"sum by (provider) (increase({self._series('tidegate_token_fetches_total', which, result)}[15m]))"
                for result in ('result="failed"', 'result="fetched"')
            )
            yield Alert(
                "TidegateTokenRenewalFailing",
                "ticket",
                f"{failed} >= 3\nunless\n{fetched}\n>=\n{failed}",
                "5m",
                f"Access tokens of {PROVIDER} can't be renewed",
                "About {{ $value | humanize }} attempts of the last fifteen minutes failed. A token in use serves until"
                " it ends, then calls are refused with token_unavailable. /api/providers tells why (token_problem).",
            )

    def _certificates(self) -> Iterator[Alert]:
        if which := self._watched.of_legs(shows_certificate):
            ends = self._series("tidegate_certificate_expiry_timestamp_seconds", which)
            for severity, left_s, words in _ENDS:
                yield Alert(
                    "TidegateCertificateExpiring",
                    severity,
                    f"min by (provider, account) ({ends}) - time() < {left_s}",
                    "",
                    f"The client certificate for {LEG} ends within {words}",
                    "It is good for another {{ $value | humanizeDuration }}, on the replica that has the oldest one."
                    " Renew it, and put the file in its place; it is read again at once, without a restart.",
                )
