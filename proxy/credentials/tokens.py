"""Keeps one access token for all calls: fetched once however many wait, and early in the background."""

import asyncio
import logging
from contextlib import nullcontext
from typing import Final

from proxy.core.call import Call, Handler, WholeBody
from proxy.core.errors import CredentialMissing, DeadlineExceeded, TidegateError, TokenUnavailable
from proxy.core.events import TokenFetched
from proxy.core.profile import Operation, Profile
from proxy.core.record import Record
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretSlot
from proxy.credentials.grants import Grant
from proxy.credentials.scheme import reveal
from proxy.credentials.token_answer import Granted, GrantFailed, parse_granted, read_answer
from proxy.sansio.hints import Hints
from proxy.sansio.tokens import Rest, Step, TokenClock

FETCH_S: Final = 30.0
"""What one fetch may take, retries included."""

RENEW_WAIT_S: Final = 2.0
"""How long a call waits for a token of a changed secret while the one before is still good."""


class TokenSource:
    """The token and what is known of its endpoint. text: the token; only `good` says whether it may be sent.

    slots: the secrets behind it. endpoint: where it is asked for; a reload gives another one.
    """

    def __init__(self, grant: Grant, runtime: Runtime, slots: tuple[SecretSlot, ...]) -> None:
        profile = Profile(repeatable=(Operation(path="/*"),)) if grant.repeatable else Profile()
        self.endpoint: Handler = runtime.endpoint(grant.root, profile)
        self.text = ""
        self.expires_ts = 0.0
        self._grant = grant
        self._runtime = runtime
        self._slots = slots
        self._hints = Hints(profile)
        self._clock = TokenClock()
        self._fetching: asyncio.Task[None] | None = None
        self._failure: TidegateError | None = None

    def good(self) -> bool:
        """Say whether the token may be sent."""
        return self._clock.good(self._runtime.now())

    async def ready(self, call: Call) -> None:
        """Wait until there is a token, no longer than the call's deadline.

        Raises: CredentialMissing, TokenUnavailable, DeadlineExceeded. A caller that leaves takes nobody's fetch along.
        """
        now = self._runtime.now()
        generation = sum([slot.generation for slot in self._slots])
        step = self._clock.decide(now, generation)
        if step is Step.USE:
            return
        if isinstance(step, Rest):
            raise self.unavailable(step.retry_after_s)
        for slot in self._slots:
            reveal(slot)
        task = self._fetching
        if task is None:
            task = self._fetching = asyncio.get_running_loop().create_task(self._fetch(generation))
        if step is not Step.RENEW_AHEAD:
            until = call.deadline_at if step is Step.FETCH else min(call.deadline_at, now + RENEW_WAIT_S)
            await self._wait(call, task, until)

    async def _wait(self, call: Call, task: "asyncio.Task[None]", until: float) -> None:
        begun_at = self._runtime.now()
        left_s = until - begun_at
        await asyncio.wait((task,), timeout=None if left_s == float("inf") else max(0.0, left_s))
        at = self._runtime.now()
        call.record.note(at, "credential", f"waited {at - begun_at:.3f} s for an access token")
        if self.good():
            return
        if not task.done():
            raise DeadlineExceeded("the deadline of the call passed while its access token was being fetched")
        raise self.unavailable(self._clock.rest_s(self._runtime.now()))

    def unavailable(self, retry_after_s: float) -> TidegateError:
        """Return the error that tells why there is no token; a new one each time, because each is raised."""
        known = self._failure
        if isinstance(known, CredentialMissing):
            return CredentialMissing(known.detail, retry_after_s=retry_after_s)
        refused = isinstance(known, TokenUnavailable) and known.refused
        detail = "the access token has just ended" if known is None else known.detail
        return TokenUnavailable(detail, retry_after_s=retry_after_s, refused=refused)

    async def _fetch(self, generation: int) -> None:
        self._clock.begin(generation)
        try:
            async with nullcontext() if self._grant.kept is None else self._grant.kept.alone:
                began_at = self._runtime.now()
                async with asyncio.timeout(FETCH_S):
                    granted = await self._ask(began_at)
                problem = await self._keep(granted)
            self._take(granted, began_at, problem)
        except GrantFailed as error:
            unavailable = TokenUnavailable(f"no access token: {error.problem}", refused=error.refused)
            self._fail(unavailable, error.hint_s, error.problem)
        except CredentialMissing as error:
            self._fail(error, 0.0, error.detail)
        except TidegateError as error:
            problem = f"the token endpoint can't be reached: {error.detail}"
            self._fail(TokenUnavailable(f"no access token: {problem}"), error.retry_after_s or 0.0, problem)
        except TimeoutError:
            problem = f"the token endpoint did not answer within {FETCH_S:g} s"
            self._fail(TokenUnavailable(f"no access token: {problem}"), 0.0, problem)
        except Exception:  # callers wait for this task, and shall hear of a failure whatever it is
            logging.getLogger(__name__).exception("bug while fetching an access token")
            self._fail(TokenUnavailable("no access token: a bug, the log has the traceback"), 0.0, "bug")
        finally:
            self._fetching = None

    async def _ask(self, began_at: float) -> Granted:
        runtime, grant = self._runtime, self._grant
        if grant.kept is not None:
            runtime.protect(await grant.kept.load())
        ask = grant.ask(runtime.wall())
        call = Call(runtime.provider, "POST", ask.target, ask.headers, WholeBody(ask.body), Record(began_at))
        call.deadline_at = began_at + FETCH_S
        reply = await self.endpoint(call)
        body = await read_answer(reply)
        try:
            return parse_granted(reply.status, body, grant.token_key, grant.config.lifetime, runtime.wall())
        except GrantFailed as error:
            error.hint_s = self._hints.wait_s(reply.headers, runtime.wall()) or 0.0
            raise

    async def _keep(self, granted: Granted) -> str:
        """Tell the redactor of the new secrets, and write a new refresh token down. Returns: what went wrong, or ""."""
        self._runtime.protect(granted.text)
        kept = self._grant.kept
        if kept is None or not granted.refresh_token:
            return ""
        self._runtime.protect(granted.refresh_token)
        return await kept.replace(granted.refresh_token)

    def _take(self, granted: Granted, began_at: float, problem: str) -> None:
        runtime = self._runtime
        self._clock.fetched(began_at, granted.life_s, runtime.random())
        self.text = granted.text
        self.expires_ts = runtime.wall() - (runtime.now() - began_at) + granted.life_s
        self._failure = None
        runtime.emit(TokenFetched(runtime.provider, runtime.account, "fetched", granted.life_s, problem))

    def _fail(self, error: TidegateError, hint_s: float, problem: str) -> None:
        runtime = self._runtime
        refused = isinstance(error, TokenUnavailable) and error.refused
        self._failure = error
        self._clock.failed(runtime.now(), runtime.random(), hint_s, refused=refused)
        runtime.emit(TokenFetched(runtime.provider, runtime.account, "failed", 0.0, problem))

    def rejected(self) -> bool:
        """Hear that the provider refused the token. Returns: whether it is given up, and another one is fetched."""
        return self._clock.rejected(self._runtime.now())

    def resume(self) -> None:
        """Leave the endpoint alone no longer."""
        self._clock.resume()

    def snapshot(self) -> dict[str, object]:
        """Tell until when the token is good, unix seconds, and why the last fetch failed."""
        told: dict[str, object] = {} if not self.text else {"expires_ts": self.expires_ts}
        token = "good" if self.good() else "none"
        return {**told, "token": token, "token_problem": "" if self._failure is None else self._failure.detail}
