"""SendGrid's SDK."""

import pytest
from python_http_client.exceptions import BadRequestsError, ServiceUnavailableError, TooManyRequestsError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Mail

from tests.sdk.ground import Ground, Grounds, says, sent_json
from tests.support.wire import reply

pytestmark = pytest.mark.sdk


@pytest.fixture
def sendgrid(ground: Grounds) -> Ground:
    return ground("sendgrid")


def client_of(ground: Ground) -> SendGridAPIClient:
    client: SendGridAPIClient = ground.client(SendGridAPIClient=SendGridAPIClient)
    return client


def mail() -> Mail:
    return Mail("harbour@example.com", "captain@example.com", "Tide", "High tide at 5 🌊")


def test_templates_are_read(sendgrid: Ground) -> None:
    sendgrid.play(says({"templates": [{"id": "t-1"}]}))
    answer = client_of(sendgrid).client.templates.get(query_params={"generations": "dynamic"})
    assert answer.to_dict == {"templates": [{"id": "t-1"}]}
    assert sendgrid.lines == ["GET /v3/templates?generations=dynamic"]


def test_a_mail_is_sent(sendgrid: Ground) -> None:
    sendgrid.play(reply(202, b"", b"X-Message-Id: m-1"))
    answer = client_of(sendgrid).send(mail())
    assert (answer.status_code, answer.headers["X-Message-Id"]) == (202, "m-1")
    assert sendgrid.lines == ["POST /v3/mail/send"]
    assert sent_json(sendgrid.requests[0]) == mail().get()


def test_an_error_is_the_providers_own(sendgrid: Ground) -> None:
    problem = {"errors": [{"message": "The from address is not verified", "field": "from", "help": None}]}
    sendgrid.play(says(problem, 400))
    with pytest.raises(BadRequestsError) as caught:
        client_of(sendgrid).send(mail())
    assert caught.value.to_dict == problem


def test_a_throttled_mail_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    sendgrid = ground("sendgrid-busy")
    sendgrid.play(says({"errors": [{"message": "too many requests"}]}, 429, "Retry-After: 120"))
    client = client_of(sendgrid)
    with pytest.raises(TooManyRequestsError) as caught:
        client.send(mail())
    with pytest.raises(ServiceUnavailableError) as held:
        client.send(mail())
    assert caught.value.headers["Retry-After"] == "120"
    assert held.value.to_dict["reason"] == "provider_paused"
    assert len(sendgrid.requests) == 1


def test_the_sidecar_changes_the_credential_alone(sendgrid: Ground) -> None:
    sendgrid.compare(lambda way: client_of(way).send(mail()), reply(202, b"", b"X-Message-Id: m-1"))
