"""Puts the provider's credential into the call, after every wait, and keeps the caller's own out."""

from collections.abc import Awaitable
from typing import Any, ClassVar

from proxy.core.call import Call, Handler, Policy, Reply
from proxy.core.runtime import Runtime
from proxy.core.secret import SecretSlot
from proxy.credentials import SCHEMES, CredentialConfig, SchemeConfig


class Credential(Policy):
    """Sends on a copy of the call that carries the credential; the call itself never holds a secret.

    There is no `mode`: letting a call through without its credential helps nobody.
    """

    section = "credential"
    Config: ClassVar[Any] = CredentialConfig  # a union of models, because each scheme has its own settings

    def __init__(self, inner: Handler, config: SchemeConfig, runtime: Runtime) -> None:
        self.inner = inner
        self._name = config.scheme
        self._scheme = SCHEMES[config.scheme](config, runtime.secret, runtime.profile)

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Inject and send. Raises: CredentialMissing while the secret has never been read."""
        target, headers = self._scheme.apply(call.target, call.headers)
        return self.inner(call.outgoing(target, headers))

    def slots(self) -> tuple[SecretSlot, ...]:
        """Return the secrets in use, for readiness."""
        return self._scheme.slots()

    def snapshot(self, now: float) -> dict[str, object]:  # noqa: ARG002  # the policies' common signature
        """Tell the scheme and whether each secret has been read."""
        secrets = [
            {"ref": str(slot.ref), "loaded": slot.secret is not None, "problem": slot.problem}
            for slot in self._scheme.slots()
        ]
        return {"scheme": self._name, "secrets": secrets}
