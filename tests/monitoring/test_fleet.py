from proxy.monitoring.fleet import credentials, processes
from proxy.monitoring.panels import ALARM
from tests.support.asked import asked


def test_both_ends_of_a_credential_are_told_as_the_time_that_is_left() -> None:
    found = asked(credentials())
    assert found["Certificates"].startswith("min by (provider, account) (tidegate_certificate_expiry_timestamp_seconds")
    assert found["Access tokens"].startswith("min by (provider, account) (tidegate_credential_expiry_timestamp_seconds")
    assert all(found[title].endswith(" - time()") for title in ("Certificates", "Access tokens"))


def test_a_secret_that_was_never_sent_has_no_last_use() -> None:
    assert "> 0" in asked(credentials())["Live secrets, last used"]


def test_a_refused_configuration_is_an_alarm_and_none_is_0() -> None:
    (panel,) = [one for one in processes().panels if one.title == "Refused configurations"]
    assert panel.steps == ALARM
    assert panel.queries[0].expr.endswith("or vector(0)")


def test_resources_stay_readable_with_hundreds_of_sidecars() -> None:
    for title in ("Memory", "CPU", "Callers connected", "Files open"):
        highest, average = asked(processes())[title].splitlines()
        assert (highest[:5], average[:5]) == ("max (", "avg (")


def test_everything_that_can_get_lost_is_told() -> None:
    lost = asked(processes())["Lost"]
    for name in ("log_dropped", "audit_dropped", "spans_dropped"):
        assert f"tidegate_{name}_total" in lost
