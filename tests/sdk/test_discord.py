"""discord.py, its REST half: the gateway does not go through the sidecar."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, Final

import pytest

from tests.sdk.ground import Ground, Grounds, says, sent_json

with warnings.catch_warnings():  # it imports audioop, which Python gives up
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord.http import HTTPClient, handle_message_parameters

pytestmark = pytest.mark.sdk

ME: Final = {"id": "1", "username": "tide", "discriminator": "0"}
SENT: Final = {"id": "5", "content": "Flut 🌊", "channel_id": "7"}
LIMITED: Final = {"message": "You are being rate limited.", "retry_after": 120.5, "global": False}


@asynccontextmanager
async def client_of(ground: Ground) -> AsyncIterator[HTTPClient]:
    ground.client(discord=discord)
    client = HTTPClient(asyncio.get_running_loop())
    await client.static_login("placeholder")
    try:
        yield client
    finally:
        await client.close()


def with_client(ground: Ground, use: Callable[[HTTPClient], Awaitable[Any]]) -> Any:
    """Log in, which reads the bot's own user, and use the client."""

    async def both() -> Any:
        async with client_of(ground) as client:
            return await use(client)

    return asyncio.run(both())


async def send(client: HTTPClient) -> Any:
    with handle_message_parameters("Flut 🌊") as params:
        return await client.send_message(7, params=params)


def test_the_bots_own_user_and_a_channel_are_read(ground: Grounds) -> None:
    provider = ground("discord")
    provider.play(says(ME), says({"id": "7", "type": 0}))
    assert with_client(provider, lambda client: client.get_channel(7))["type"] == 0
    assert provider.lines == ["GET /api/v10/users/@me", "GET /api/v10/channels/7"]


def test_a_message_is_sent(ground: Grounds) -> None:
    provider = ground("discord")
    provider.play(says(ME), says(SENT))
    assert with_client(provider, send)["id"] == "5"
    assert provider.lines[1] == "POST /api/v10/channels/7/messages"
    assert sent_json(provider.requests[1]) == {"content": "Flut 🌊", "tts": False}


def test_a_file_is_sent(ground: Grounds) -> None:
    picture = bytes(range(256)) * 300

    async def send_file(client: HTTPClient) -> Any:
        with handle_message_parameters(file=discord.File(BytesIO(picture), "a.png")) as params:
            return await client.send_message(7, params=params)

    provider = ground("discord")
    provider.play(says(ME), says(SENT))
    assert with_client(provider, send_file)["id"] == "5"
    assert picture in provider.requests[1].body


def test_discord_sees_the_requests_that_it_would_see_without_the_sidecar(ground: Grounds) -> None:
    ground("discord").compare(lambda way: with_client(way, send), says(ME), says(SENT))


def test_an_error_is_the_providers_own(ground: Grounds) -> None:
    provider = ground("discord")
    provider.play(says(ME), says({"message": "Unknown Channel", "code": 10003}, 404))
    with pytest.raises(discord.NotFound) as caught:
        with_client(provider, send)
    assert caught.value.code == 10003


def test_a_limit_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    provider = ground("discord-busy")
    provider.play(says(ME), says(LIMITED, 429, "Retry-After: 121"))
    seen = []

    async def twice(client: HTTPClient) -> None:
        for _ in range(2):
            with pytest.raises(discord.HTTPException) as caught:
                await send(client)
            seen.append(caught.value.status)

    with_client(provider, twice)
    assert (seen, len(provider.requests)) == ([429, 503], 2)
