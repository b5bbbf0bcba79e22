"""A Handler that plays a script in place of a provider, and builders for what a policy is given."""

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Mapping

from proxy.core.call import NO_BODY, Body, Call, Headers, Reply
from proxy.core.events import Event
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.core.record import Record
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.sansio.classify import Classifier
from tests.support.virtual import START

Step = int | Reply | Exception | type[Exception] | Callable[[Call], Reply | Awaitable[Reply]]

WALL = 1_800_000_000.0
"""What `Runtime.wall` shows while the virtual loop's clock shows zero: 2027-01-15 08:00:00 UTC."""

_classify = Classifier(Profile())


class ScriptedStream:
    """A body stream that gives its pieces and then ends, or fails with `error`.

    ended: whether it has, in any way. aborted: whether it was given up before its end.
    """

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.trailers: Headers = []
        self.aborted = False
        self._pieces = list(pieces)
        self._error = error
        self.ended = False
        self._callbacks: list[Callable[[Exception | None], None]] = []

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end."""
        if self._pieces:
            return self._pieces.pop(0)
        self._end(self._error)
        if self._error is not None:
            raise self._error
        return b""

    def on_end(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back once, when the body has ended, failed or been aborted."""
        self._callbacks.append(callback)

    def abort(self) -> None:
        """Give up the rest."""
        if not self.ended:
            self.aborted = True
            self._end(ConnectionAbortedError("given up"))

    def _end(self, error: Exception | None) -> None:
        if not self.ended:
            self.ended = True
            for callback in self._callbacks:
                callback(error)


class SlowStream(ScriptedStream):
    """A body stream of which every piece, and the end, takes its time."""

    def __init__(self, seconds: float, *pieces: bytes) -> None:
        super().__init__(*pieces)
        self._seconds = seconds

    async def read(self) -> bytes:
        """Return the next piece when its time has come."""
        await asyncio.sleep(self._seconds)
        return await super().read()


class Script:
    """Plays one step per send; the last one repeats.

    A step is a status, a Reply, an exception (class or instance), or a function of the call, which may
    be async. sends: (monotonic instant, call) of each send.
    """

    def __init__(self, *steps: Step) -> None:
        self.sends: list[tuple[float, Call]] = []
        self._steps = steps

    @property
    def gaps(self) -> list[float]:
        """Seconds between one send and the next, rounded to microseconds."""
        times = [at for at, _ in self.sends]
        return [round(later - earlier, 6) for earlier, later in itertools.pairwise(times)]

    async def __call__(self, call: Call) -> Reply:
        """Record the send and play the next step."""
        step = self._steps[min(len(self.sends), len(self._steps) - 1)]
        self.sends.append((asyncio.get_running_loop().time(), call))
        call.record.attempts += 1
        return await _play(step, call)


async def _play(step: Step, call: Call) -> Reply:
    if isinstance(step, int):
        return make_reply(step)
    if isinstance(step, Reply):
        return step
    if isinstance(step, type):
        raise step("scripted")
    if isinstance(step, Exception):
        raise step
    result = step(call)
    return await result if inspect.isawaitable(result) else result


def after(seconds: float, step: Step) -> Callable[[Call], Awaitable[Reply]]:
    """Make a step that takes its time."""

    async def late(call: Call) -> Reply:
        await asyncio.sleep(seconds)
        return await _play(step, call)

    return late


def make_reply(
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    stream: ScriptedStream | None = None,
    outcome: Outcome | None = None,
) -> Reply:
    """Build a provider's reply; its outcome is what the plain profile says, unless given."""
    fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    reply = Reply(status, b"", fields, body, stream)
    reply.outcome = _classify(status, fields) if outcome is None else outcome
    return reply


def make_call(
    method: str = "GET",
    target: bytes = b"/v1/things",
    headers: Mapping[str, str] | None = None,
    body: Body = NO_BODY,
    provider: str = "acme",
) -> Call:
    """Build a call as the listener would hand it to the stack; it began now, or when a virtual loop begins."""
    fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    try:
        began_at = asyncio.get_running_loop().time()
    except RuntimeError:
        began_at = START
    return Call(provider, method, target, fields, body, Record(began_at))


def make_runtime(
    events: list[Event] | None = None,
    profile: Profile | None = None,
    random: Callable[[], float] = lambda: 0.5,
    secrets: Mapping[str, str] | None = None,
    provider: str = "acme",
) -> Runtime:
    """Build a Runtime on the running loop's clock; emitted events land in `events`.

    secrets: values by reference, such as {"env:KEY": "sk_test_example"}; any other slot stays empty.
    """
    sink: list[Event] = [] if events is None else events
    slots: dict[SecretRef, SecretSlot] = {}
    for text, value in (secrets or {}).items():
        ref = SecretRef.parse(text)
        slots[ref] = SecretSlot(ref)
        slots[ref].put(Secret(value))

    def now() -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:  # a scheme at work outside of any loop
            return START

    return Runtime(
        provider=provider,
        profile=Profile() if profile is None else profile,
        now=now,
        wall=lambda: WALL + now(),
        random=random,
        emit=sink.append,
        secret=lambda ref: slots.setdefault(ref, SecretSlot(ref)),
        account="",
        authority=b"api.example.com",
        base_path=b"",
        protect=lambda _: None,
        reread=_nothing,
        generations=lambda: tuple((ref, slot.generation) for ref, slot in slots.items()),
        endpoint=lambda url, profile: Script(),
    )


async def _nothing() -> None:
    return None
