"""OpenAI's SDK, asynchronous: one call, one stream, a hundred streams at once."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from tests.sdk.ground import Ground, Grounds, once_open, says, streams
from tests.sdk.openai_answers import COMPLETION, DONE, PROMPT, REFUSED, piece

pytestmark = pytest.mark.sdk


def client_of(ground: Ground) -> AsyncOpenAI:
    client: AsyncOpenAI = ground.client(OpenAI=AsyncOpenAI)
    return client


async def streamed(client: AsyncOpenAI) -> list[str | None]:
    chunks = await client.chat.completions.create(**PROMPT, stream=True)
    return [chunk.choices[0].delta.content async for chunk in chunks]


def test_a_completion_is_made(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(COMPLETION))

    async def ask() -> str | None:
        async with client_of(openai_ground) as client:
            made: ChatCompletion = await client.chat.completions.create(**PROMPT)
            return made.choices[0].message.content

    assert asyncio.run(ask()) == "Höher. 🌊"


def test_an_error_is_the_providers_own(ground: Grounds) -> None:
    openai_ground = ground("openai")
    openai_ground.play(says(REFUSED, 400))

    async def ask() -> None:
        async with client_of(openai_ground) as client:
            await client.chat.completions.create(**PROMPT)

    with pytest.raises(openai.BadRequestError, match="no such model"):
        asyncio.run(ask())


def test_a_hundred_streams_are_open_at_once_and_each_is_whole(ground: Grounds) -> None:
    openai_ground = ground("openai-crowd")
    words = [f"word {number}" for number in range(20)]
    openai_ground.play(streams(piece(words[0]), once_open(100), *map(piece, words[1:]), DONE))

    async def ask() -> list[list[str | None]]:
        async with client_of(openai_ground) as client:
            return await asyncio.gather(*(streamed(client) for _ in range(100)))

    assert asyncio.run(ask()) == [words] * 100
    assert len(openai_ground.requests) == 100
