"""PyGithub."""

from functools import partial
from typing import Final

import pytest
from github import Auth, Github, GithubException, UnknownObjectException

from tests.sdk.ground import Ground, Grounds, says, sent_json

pytestmark = pytest.mark.sdk

API: Final = "https://api.github.com"  # GitHub's answers are full of absolute addresses
REPOSITORY: Final = {"id": 1, "name": "tide", "full_name": "acme/tide", "url": f"{API}/repos/acme/tide"}
ISSUE: Final = {"id": 2, "number": 7, "title": "It is wet", "url": f"{API}/repos/acme/tide/issues/7"}


@pytest.fixture
def github(ground: Grounds) -> Ground:
    return ground("github")


def client_of(ground: Ground) -> Github:
    # Without its own pauses between two calls; they are the sidecar's business.
    unhurried = partial(Github, seconds_between_requests=None, seconds_between_writes=None)
    client: Github = ground.client(Github=unhurried, Auth=Auth)
    return client


def test_a_repository_is_read(github: Ground) -> None:
    github.play(says(REPOSITORY))
    assert client_of(github).get_repo("acme/tide").id == 1
    assert github.lines == ["GET /repos/acme/tide"]


def test_an_issue_is_made_in_a_repository_that_was_not_read(github: Ground) -> None:
    github.play(says(ISSUE, 201))
    repository = client_of(github).get_repo("acme/tide")
    assert repository.create_issue("It is wet", body="Since 5 🌊").number == 7
    assert github.lines == ["POST /repos/acme/tide/issues"]
    assert sent_json(github.requests[0]) == {"title": "It is wet", "body": "Since 5 🌊"}


def test_addresses_out_of_answers_are_refused_by_the_sdk_itself_and_never_go_past_the_sidecar(github: Ground) -> None:
    github.play(says([ISSUE], 200, f'Link: <{API}/repositories/1/issues?page=2>; rel="next"'))
    issues = iter(client_of(github).get_repo("acme/tide").get_issues())
    assert next(issues).number == 7
    with pytest.raises(AssertionError, match=r"^api\.github\.com$"):
        next(issues)
    assert github.lines == ["GET /repos/acme/tide/issues"]


def test_an_error_is_the_providers_own(github: Ground) -> None:
    github.play(says({"message": "Not Found", "status": "404"}, 404))
    with pytest.raises(UnknownObjectException) as caught:
        client_of(github).get_user("nobody").complete()
    assert caught.value.data == {"message": "Not Found", "status": "404"}


def test_a_secondary_limit_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    github = ground("github-busy")
    github.play(says({"message": "You have exceeded a secondary rate limit"}, 403, "Retry-After: 120"))
    client = client_of(github)
    seen = []
    for _ in range(2):
        with pytest.raises(GithubException) as caught:
            client.get_repo("acme/tide").complete()
        seen.append((caught.value.status, caught.value.data.get("reason")))
    assert seen == [(403, None), (503, "provider_paused")]
    assert len(github.requests) == 1
