"""The scheme `all`: several credentials in one call, such as Algolia's two headers or Edamam's two query keys."""

import re
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field, field_validator

from proxy.core.call import Call, Reply
from proxy.core.runtime import Runtime
from proxy.credentials.scheme import Scheme, SchemeConfig, SlotOf
from proxy.sansio.signing import HEADER

PartConfig = TypeVar("PartConfig", bound=SchemeConfig)

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


def _part_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("not a name of a part: write small letters, digits and _, beginning with a letter")
    return text


PartName = Annotated[str, AfterValidator(_part_name)]


class AllOf(Scheme):
    """Removes what each of its parts would remove, and injects one part after the other."""

    class Config(SchemeConfig, Generic[PartConfig]):
        """of: the parts by name, so that one key of a preset's part can be overridden; one that signs goes last.

        The mode of the whole counts, those of the parts do not.
        """

        scheme: Literal["all"]
        of: dict[PartName, PartConfig] = Field(min_length=1, max_length=8)

        @field_validator("of")
        @classmethod
        def _get_along(cls, of: dict[str, PartConfig]) -> dict[str, PartConfig]:
            for (first, one), (then, other) in combinations(of.items(), 2):
                if both := sorted(key for key in one.changes & other.changes if key.startswith(HEADER)):
                    name = both[0].removeprefix(HEADER)
                    raise ValueError(
                        f"{first} and {then} both set the header {name}, and the provider would get two: leave one out"
                    )
                if any(map(one.signs, other.changes)):
                    raise ValueError(f"{first} signs what {then} changes after it: write {first} below {then}")
            return of

    def __init__(
        self,
        makers: Mapping[str, Callable[[Any, SlotOf, Runtime], Scheme]],
        config: Config[Any],
        slot_of: SlotOf,
        runtime: Runtime,
    ) -> None:
        self.parts = [makers[part.scheme](part, slot_of, runtime) for part in config.of.values()]
        super().__init__(
            tuple(slot for part in self.parts for slot in part.slots),
            runtime,
            headers=tuple(name for part in self.parts for name in part.headers),
            query=tuple(key for part in self.parts for key in part.query),
        )
        self.waits = any(part.waits for part in self.parts)
        self._strip_themselves = [part for part in self.parts if type(part).strip is not Scheme.strip]

    @property
    def generation(self) -> int:
        """A number that grows whenever one of the secrets changes."""
        return sum([part.generation for part in self.parts])

    @property
    def places(self) -> tuple[str, ...]:
        """Say where the credentials go, for people."""
        return tuple(place for part in self.parts for place in part.places)

    async def prepare(self, call: Call) -> None:
        """Wait for what each part needs. Raises: what the parts raise."""
        for part in self.parts:
            if part.waits:
                await part.prepare(call)

    def strip(self, sent: Call) -> int:
        """Take out what each part takes out. Returns: the place where the first of it stood in the headers."""
        place = super().strip(sent)
        for part in self._strip_themselves:
            part.strip(sent)
        return min(place, len(sent.headers))

    def inject(self, sent: Call, place: int, call: Call) -> None:
        """Inject each part; their headers stand next to one another, in the parts' order. Raises: what they raise."""
        for part in self.parts:
            before = len(sent.headers)
            part.inject(sent, place, call)
            place += len(sent.headers) - before

    def answer(self, call: Call) -> Reply | None:
        """Return the first answer that a part gives in the provider's place."""
        answers = (part.answer(call) for part in self.parts if part.waits)
        return next((reply for reply in answers if reply is not None), None)

    def conceal(self, url: bytes) -> bytes:
        """Take out of a URL what each part put in."""
        for part in self.parts:
            url = part.conceal(url)
        return url

    def rejected(self, sent: Call) -> bool:
        """Let every part hear of the refusal. Returns: whether the next attempt would carry another credential."""
        return any([part.rejected(sent) for part in self.parts])  # noqa: C419 - all of them must hear it

    def resume(self) -> None:
        """Let each part forget."""
        for part in self.parts:
            part.resume()

    def adopt(self, old: Scheme) -> None:
        """Let each part go on with what its predecessor has fetched."""
        if isinstance(old, AllOf):
            for part, before in zip(self.parts, old.parts, strict=True):
                part.adopt(before)

    def snapshot(self) -> dict[str, object]:
        """Tell what the parts tell; of several ends the first one counts."""
        told = [part.snapshot() for part in self.parts]
        merged = {key: value for one in told for key, value in one.items()}
        ends = [end for one in told if isinstance(end := one.get("expires_ts"), int | float)]
        return merged | {"expires_ts": min(ends)} if ends else merged
