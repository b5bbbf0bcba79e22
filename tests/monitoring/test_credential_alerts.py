"""Each alert about credentials fires when it should, as it should, and is silent when it should be."""

from pathlib import Path

import pytest

from tests.support.alerting import Case, Firing, alerts_of, judge, settings_of, untried

DAY_S = 86400
HELD = 'tidegate_credential_held{provider="%s",secret="%s",pod="%s"}'
UNREADABLE = 'tidegate_credential_unreadable{provider="stripe",account="%s",pod="a"}'
FETCHES = 'tidegate_token_fetches_total{provider="paypal",result="%s"}'
ENDS = 'tidegate_certificate_expiry_timestamp_seconds{provider="clearing",pod="%s"}'
TOKEN_ENDS = 'tidegate_credential_expiry_timestamp_seconds{provider="paypal"}'
REFUSED = 'tidegate_requests_total{provider="%s",method="GET",code="503",source="sidecar",reason="%s"}'


def refused(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateCredentialRefused", "credential-refused.md", series, firing=firing)


def all_refused(who: str, replicas: int) -> Firing:
    return Firing(
        f"provider={who} severity=page",
        f"{who} refuses the credential",
        f"On {replicas} of the replicas the provider has refused it again and again, and all calls but one now and then"
        " are refused with credential_refused. Was it revoked, or replaced at the provider alone? Put the right secret"
        " in its place; a file is read again at once.",
    )


def one_refused(secret: str, replicas: int) -> Firing:
    return Firing(
        f"provider=stripe secret={secret} severity=ticket",
        f"stripe refuses the {secret} one of two secrets",
        f"On {replicas} of the replicas it is left alone, and calls go out with the other one. A new one that is"
        " refused is wrong or not active yet; an old one that is refused has been revoked, and can go.",
    )


REFUSALS = (
    refused(
        "the only secret, on two replicas of three",
        {HELD % ("paypal", "only", pod): held for pod, held in (("a", "1x30"), ("b", "1x30"), ("c", "0x30"))},
        all_refused("paypal", 2),
    ),
    refused(
        "one of two secrets",
        {HELD % ("stripe", "new", "a"): "1x30", HELD % ("stripe", "old", "a"): "0x30"},
        one_refused("new", 1),
    ),
    refused(
        "both secrets",
        {HELD % ("stripe", "new", "a"): "1x30", HELD % ("stripe", "old", "a"): "1x30"},
        all_refused("stripe", 1),
        one_refused("new", 1),
        one_refused("old", 1),
    ),
    refused("none", {HELD % ("paypal", "only", "a"): "0x30"}),
    refused("a refusal that is forgiven", {HELD % ("paypal", "only", "a"): "0x10 1 0x20"}),
)


def unavailable(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateCredentialUnavailable", "credential-unavailable.md", series, firing=firing)


def none_for(who: str, count: int) -> Firing:
    return Firing(
        f"provider={who} severity=page",
        f"There is no credential for {who}",
        f"About {count} calls of the last five minutes were refused, because a secret can't be read or no access token"
        " is to be had. /readyz and the answers' detail say which and why.",
    )


UNAVAILABLE = (
    unavailable("no token", {REFUSED % ("paypal", "token_unavailable"): "0+2x30"}, none_for("paypal", 10)),
    unavailable("no secret", {REFUSED % ("clearing", "credential_missing"): "0+4x30"}, none_for("clearing", 20)),
    unavailable(
        "for three minutes",
        {REFUSED % ("paypal", "token_unavailable"): "0x8 5+5x20", REFUSED % ("clearing", "credential_missing"): "0x30"},
        none_for("paypal", 20),
    ),
    unavailable("it is there again", {REFUSED % ("paypal", "token_unavailable"): "0+2x5 10x25"}),
    unavailable("another reason", {REFUSED % ("paypal", "rate_limited"): "0+2x30"}),
)


def unreadable(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateSecretUnreadable", "secret-unreadable.md", series, firing=firing)


UNREAD = (
    unreadable(
        "of one account",
        {UNREADABLE % "eu": "1x30", UNREADABLE % "": "0x30"},
        Firing(
            "provider=stripe account=eu severity=ticket",
            "A secret of stripe (account eu) can't be read any more",
            "On 1 of the replicas the last good one stays in use, and a restart would leave it without. /api/providers"
            " tells which file or command it is, and what is wrong with it.",
        ),
    ),
    unreadable("for the moment in which it is replaced", {UNREADABLE % "": "0x10 1x1 0x20"}),
)


def renewal(what: str, failed: str, fetched: str, *firing: Firing) -> Case:
    series = {FETCHES % "failed": failed, FETCHES % "fetched": fetched, TOKEN_ENDS: "3600x40"}
    return Case(what, "TidegateTokenRenewalFailing", "token-renewal-failing.md", series, "25m", firing)


RENEWALS = (
    renewal(
        "every minute one fails",
        "0+1x40",
        "1x40",
        Firing(
            "provider=paypal severity=ticket",
            "Access tokens of paypal can't be renewed",
            "About 15 attempts of the last fifteen minutes failed. A token in use serves until it ends, then calls are"
            " refused with token_unavailable. /api/providers tells why (token_problem).",
        ),
    ),
    renewal("two failed, then one was fetched", "0x12 1 2x30", "0x14 1x30"),
    renewal("as many replicas fetch as fail", "0+1x40", "0+1x40"),
)


def certificate(what: str, series: dict[str, str], *firing: Firing) -> Case:
    return Case(what, "TidegateCertificateExpiring", "certificate-expiring.md", series, firing=firing)


def ends(severity: str, within: str, left: str) -> Firing:
    return Firing(
        f"provider=clearing severity={severity}",
        f"The client certificate for clearing ends within {within}",
        f"It is good for another {left}, on the replica that has the oldest one. Renew it, and put the file in its"
        " place; it is read again at once, without a restart.",
    )


CERTIFICATES = (
    certificate(
        "the oldest of all replicas counts",
        {ENDS % "a": f"{6 * DAY_S}x30", ENDS % "b": f"{60 * DAY_S}x30"},
        ends("ticket", "a week", "5d 23h 48m 0s"),
    ),
    certificate(
        "half a day is left",
        {ENDS % "a": f"{DAY_S // 2}x30"},
        ends("ticket", "a week", "11h 48m 0s"),
        ends("page", "a day", "11h 48m 0s"),
    ),
    certificate("eight days are left", {ENDS % "a": f"{8 * DAY_S}x30"}),
)

CASES = (*REFUSALS, *UNAVAILABLE, *UNREAD, *RENEWALS, *CERTIFICATES)
OTHERS = ("Error", "Bulkhead", "Retry", "Breaker", "Limiter", "Provider", "Operator")


def test_every_situation_ends_as_it_should(tmp_path: Path) -> None:
    assert judge(tmp_path, CASES, "tidegate-providers") == ""


def test_no_alert_goes_without_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    alerts = [
        alert
        for alert in alerts_of(settings_of(), "tidegate-providers")
        if not alert.name.removeprefix("Tidegate").startswith(OTHERS)
    ]
    assert len(alerts) == 7
    assert untried(CASES, alerts) == set()


def names(entry: str) -> set[str]:
    found = alerts_of(settings_of(f"providers: {{acme: {{base_url: 'https://acme.example', {entry}}}}}"), "tidegate")
    return {alert.name for alert in found}


KEY = "credential: {scheme: bearer, token: %s}"


@pytest.mark.parametrize(
    ("entry", "name", "there"),
    [
        ("credential: off", "TidegateCredentialRefused", False),
        ("credential: off", "TidegateCredentialUnavailable", False),
        (KEY % "env:TOKEN", "TidegateCredentialRefused", True),
        (KEY % "env:TOKEN", "TidegateSecretUnreadable", False),  # a variable never changes
        (KEY % "file:/token", "TidegateSecretUnreadable", True),
        (KEY % "env:TOKEN", "TidegateTokenRenewalFailing", False),
        ("tls: {ca: file:/ca.crt}", "TidegateCertificateExpiring", False),
        ("tls: {ca: file:/ca.crt}", "TidegateSecretUnreadable", True),
        ("tls: {client_certificate: file:/tls.pem}", "TidegateCertificateExpiring", True),
    ],
)
def test_an_alert_is_there_where_it_can_fire(entry: str, name: str, *, there: bool) -> None:
    assert (name in names(entry)) is there


def test_a_part_of_several_credentials_fetches_tokens_too() -> None:
    oauth = "scheme: oauth2, grant: client_credentials, token_url: 'https://acme.example/t', client_id: env:A"
    parts = f"credential: {{scheme: all, of: {{token: {{{oauth}, client_secret: env:B}}}}}}"
    assert "TidegateTokenRenewalFailing" in names(parts)
