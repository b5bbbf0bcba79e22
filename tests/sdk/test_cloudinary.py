"""Cloudinary's SDK."""

from io import BytesIO
from typing import Any, Final

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
from cloudinary.exceptions import GeneralError, NotFound, RateLimited

from tests.sdk.ground import Ground, Grounds, only, says

pytestmark = pytest.mark.sdk

IMAGE: Final = bytes(range(256)) * 64
UPLOADED: Final = {"public_id": "pier", "version": 1, "bytes": len(IMAGE)}


@pytest.fixture
def images(ground: Grounds) -> Ground:
    return pointed(ground("cloudinary"))


def pointed(ground: Ground) -> Ground:
    """The SDK has one configuration for the whole process."""
    config: Any = ground.client(cloudinary=cloudinary)
    assert config.upload_prefix == ground.base
    return ground


def test_an_image_is_read(images: Ground) -> None:
    images.play(says({"public_id": "pier"}, 200, "X-FeatureRateLimit-Remaining: 499"))
    answer = cloudinary.api.resource("pier")
    assert (answer["public_id"], answer.rate_limit_remaining) == ("pier", 499)
    assert images.lines == ["GET /v1_1/CLOUD/resources/image/upload/pier"]


def test_an_image_is_uploaded_and_nothing_is_signed_with_a_placeholder(images: Ground) -> None:
    images.play(says(UPLOADED))
    assert cloudinary.uploader.upload(BytesIO(IMAGE), public_id="pier")["version"] == 1
    assert images.lines == ["POST /v1_1/CLOUD/image/upload"]
    assert IMAGE in images.requests[0].body
    assert b"signature" not in images.requests[0].body


def test_a_large_file_is_uploaded_piece_by_piece(images: Ground) -> None:
    images.play(says(UPLOADED))
    cloudinary.uploader.upload_large(BytesIO(IMAGE), resource_type="raw", chunk_size=8192)
    assert [only(request.head, b"content-range") for request in images.requests] == [
        b"bytes 0-8191/16384", b"bytes 8192-16383/16384",
    ]  # fmt: skip


def test_an_error_is_the_providers_own(images: Ground) -> None:
    images.play(says({"error": {"message": "Resource not found - pier"}}, 404))
    with pytest.raises(NotFound, match="Resource not found - pier"):
        cloudinary.api.resource("pier")


def test_a_throttled_read_is_told_and_the_next_one_is_held_back(ground: Grounds) -> None:
    images = pointed(ground("cloudinary-busy"))
    images.play(says({"error": {"message": "Rate Limit Exceeded"}}, 420, "Retry-After: 120"))
    with pytest.raises(RateLimited, match="Rate Limit Exceeded"):
        cloudinary.api.usage()
    # A GET would be repeated by urllib3, which waits as long as Retry-After says.
    with pytest.raises(GeneralError, match="the provider asked for a pause"):
        cloudinary.uploader.destroy("pier")
    assert len(images.requests) == 1


def test_the_sidecar_changes_the_credential_alone(images: Ground) -> None:
    def read(way: Ground) -> None:
        cloudinary.api.resource("pier", upload_prefix=way.base)

    images.compare(read, says({"public_id": "pier"}))
