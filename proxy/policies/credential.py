"""Puts the provider's credential into the call, after every wait, and keeps the caller's own out."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.errors import CredentialRefused, TokenUnavailable
from proxy.core.events import CredentialHeld, Which, WouldRefuse
from proxy.core.mode import Moded
from proxy.core.outcome import Outcome
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretRefs, SecretSlot
from proxy.credentials import SCHEMES, CredentialConfig, SchemeConfig, references
from proxy.sansio.idempotency import IdempotencyKeys
from proxy.sansio.rotation import UNREAD, Held, Rotation

_UNAUTHORISED: Final = Outcome.UNAUTHORISED  # looking a member up in its class is slow, and this is the hot path
_TAKEN: Final = frozenset((Outcome.OK, Outcome.REFUSED, Outcome.EXHAUSTED))
"""What proves that a credential was good; a 5xx or 429 often comes from something that never looked at it."""
_DETAIL: Final = "the provider has refused this credential again and again; check it, and replace the secret"


class Credential(Moded):
    """Sends on a copy of the call that carries the credential; the call itself never holds a secret.

    Where two secrets are live, the new one goes first, and on a refusal the other. One that is refused again and
    again is not sent for a while, because providers lock accounts and ban addresses; `mode: report` only counts that.
    """

    section = "credential"
    Config: ClassVar[Any] = CredentialConfig  # a union of models, because each scheme has its own settings

    def __init__(self, inner: Handler, config: SchemeConfig, runtime: Runtime) -> None:
        self.inner = inner
        self.config = config
        self._runtime = runtime
        refs = [ref for _, ref in references(config)]
        self._names: tuple[Which, ...] = ("new", "old") if any(len(live) > 1 for live in refs) else ("only",)
        make = SCHEMES[config.scheme]
        self.schemes = [make(config, partial(self._slot, place), runtime) for place in range(len(self._names))]
        self.rotation = Rotation(self._generations())
        self._keys = IdempotencyKeys(runtime.profile)
        self._used_ts = [0.0] * len(self._names)
        self._watched = any(one.source != "env" for live in refs for one in live)
        self._would_refuse = WouldRefuse(runtime.provider, self.section, CredentialRefused.reason, runtime.account)
        super().__init__(config.mode)

    def _slot(self, place: int, refs: SecretRefs) -> SecretSlot:
        return self._runtime.secret(refs[min(place, len(refs) - 1)])

    def _generations(self) -> list[int]:
        return [
            scheme.generation if all(slot.secret is not None for slot in scheme.slots) else UNREAD
            for scheme in self.schemes
        ]

    async def __call__(self, call: Call) -> Reply:
        """Inject and send.

        Raises: CredentialMissing while a secret has never been read, CredentialRefused, and what the scheme raises.
        """
        scheme = self.schemes[0]
        # Before the choice: that may let one call find out about a secret, and this one would not.
        if scheme.waits and (answer := scheme.answer(call)) is not None:
            return answer
        place = 0 if self.rotation.quiet else self._choose(call)
        scheme = self.schemes[place]
        if scheme.waits:
            place = await self._prepared(call, place)
            scheme = self.schemes[place]
        generation = scheme.generation
        sent = call.outgoing()
        scheme.inject(sent, scheme.strip(sent), call)
        if len(self._names) > 1:
            self._used_ts[place] = self._runtime.wall()
        reply = await self.inner(sent)
        if reply.outcome is _UNAUTHORISED:
            try:
                await self._refused(call, sent, reply, place, generation)
            except BaseException:  # cancelled: nobody else gives the rest of the body up
                reply.discard()
                raise
        elif not self.rotation.quiet and reply.outcome in _TAKEN:
            self.rotation.accepted(place, generation)
        return reply

    def _choose(self, call: Call) -> int:
        repeatable = len(self._names) > 1 and call.body.can_replay() and self._keys.is_repeatable(call)
        choice = self.rotation.choose(self._runtime.now(), self._generations(), repeatable=repeatable)
        if not isinstance(choice, Held):
            if choice:
                self._note(call, "the old credential is sent: the new one was refused, or can't be read")
            return choice
        if self._enforce:
            raise CredentialRefused(_DETAIL, retry_after_s=choice.retry_after_s)
        self._runtime.emit(self._would_refuse)
        self._note(
            call, f"refused again and again, and held for {choice.retry_after_s:.0f} s; sent, because mode is report"
        )
        return 0

    async def _prepared(self, call: Call, place: int) -> int:
        """Return the place whose credential is ready: this one or, when its token endpoint refuses it, the other."""
        generation = self.schemes[place].generation
        try:
            await self.schemes[place].prepare(call)
        except TokenUnavailable as error:
            if not error.refused or len(self._names) == 1:
                raise
            self._held(place, generation)
            choice = self.rotation.choose(self._runtime.now(), self._generations(), repeatable=False)
            if choice == place or isinstance(choice, Held):
                raise
            await self.schemes[choice].prepare(call)
            self._note(
                call,
                f"the token endpoint refused the {self._names[place]} secret; the {self._names[choice]} one is used",
            )
            return choice
        return place

    def _held(self, place: int, generation: int) -> None:
        """Count a refusal, and tell when it was the one after which the secret is left alone."""
        runtime = self._runtime
        hold = self.rotation.refused(runtime.now(), place, generation)
        if hold is not None:
            name = self._names[place]
            runtime.emit(CredentialHeld(runtime.provider, runtime.account, name, hold.refusals, hold.seconds))

    async def _refused(self, call: Call, sent: Call, reply: Reply, place: int, generation: int) -> None:
        """Learn from a refusal, and say in the reply whether another attempt would carry another credential."""
        runtime, scheme = self._runtime, self.schemes[place]
        if self._watched and scheme.generation == generation:
            await runtime.reread()  # the secret may have been replaced a moment ago
        another = self._another(sent, place, generation)
        self._note(
            call, f"the provider refused the {self._credential(place)}; {another or 'there is no other to send'}"
        )
        if another and not call.renewed:
            call.renewed = reply.renewed = True

    def _another(self, sent: Call, place: int, generation: int) -> str:
        """Count the refusal, and say what another attempt would carry instead; empty for nothing else."""
        scheme = self.schemes[place]
        if scheme.generation != generation:
            return "it has been replaced meanwhile"
        if scheme.rejected(sent):
            return "another token takes its place"  # one that is over is no bad secret
        self._held(place, generation)
        if len(self._names) > 1:
            choice = self.rotation.choose(self._runtime.now(), self._generations(), repeatable=False)
            if choice != place and not isinstance(choice, Held):
                return f"the {self._credential(choice)} is there too"
        return ""

    def _credential(self, place: int) -> str:
        name = self._names[place]
        return "credential" if name == "only" else f"{name} credential"

    def _note(self, call: Call, text: str) -> None:
        call.record.note(self._runtime.now(), self.section, text)

    def slots(self) -> tuple[SecretSlot, ...]:
        """Return the secrets in use, for readiness; of two live ones the first."""
        return self.schemes[0].slots

    def adopt(self, old: Policy) -> None:
        """Go on with what is known of the same credential: refusals, last uses, and tokens that were fetched."""
        if isinstance(old, Credential) and old.config == self.config:
            self.rotation = old.rotation
            self._used_ts = old._used_ts  # noqa: SLF001 - one of its own kind
            for scheme, before in zip(self.schemes, old.schemes, strict=True):
                scheme.adopt(before)

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """`resume` forgets refusals; the others hold the mode."""
        return {"resume": self._resume, **super().actions}

    def _resume(self) -> None:
        self.rotation.forgive()
        for scheme in self.schemes:
            scheme.resume()

    def snapshot(self, now: float) -> dict[str, object]:
        """Tell the scheme, whether each secret has been read, how often it was refused and, of two, its last use."""
        live = []
        for place, name in enumerate(self._names):
            state: dict[str, object] = {
                "secret": name,
                "refusals": self.rotation.refusals(place),
                "held_s": self.rotation.held_s(now, place),
            }
            if len(self._names) > 1:
                state["last_used_ts"] = self._used_ts[place]
            live.append(state)
        secrets = [
            {
                "ref": str(slot.ref),
                "loaded": slot.secret is not None,
                "problem": slot.problem,
                "since_ts": slot.since_ts,
            }
            for scheme in self.schemes
            for slot in scheme.slots
        ]
        told = {"scheme": self.config.scheme, "secrets": secrets, "live": live, **self.schemes[0].snapshot()}
        return {**told, **self.mode()}
