"""A credential scheme at work on one call, as the credential policy uses it."""

from collections.abc import Mapping

from proxy.core.call import NO_BODY, Body, Call, Headers
from proxy.core.record import Record
from proxy.core.secret import Secret, SecretRef, SecretRefs, SecretSlot
from proxy.credentials import SlotOf
from proxy.credentials.scheme import Scheme
from tests.support.virtual import run


def call_of(target: bytes = b"/", headers: Headers | None = None, method: str = "GET", body: Body = NO_BODY) -> Call:
    """Return a call as the listener hands it over."""
    return Call("acme", method, target, [] if headers is None else headers, body, Record(0.0))


def injected(scheme: Scheme, call: Call) -> Call:
    """Return what goes out for the call: a stripped copy with the credential."""
    if scheme.waits:
        run(scheme.prepare(call))
    sent = call.outgoing()
    scheme.inject(sent, scheme.strip(sent), call)
    return sent


def on_wire(call: Call) -> bytes:
    """Return everything of a call in which a credential can stand."""
    lines = [call.target, *(name + b": " + value for name, value in call.headers), call.body.whole or b""]
    return b"\n".join(lines)


def slots_of(values: Mapping[str, str]) -> SlotOf:
    """Return a source of slots, loaded with these values by reference; of two live references the first counts."""
    slots = {ref: SecretSlot(SecretRef.parse(ref)) for ref in values}
    for ref, value in values.items():
        slots[ref].put(Secret(value))

    def slot_of(refs: SecretRefs) -> SecretSlot:
        return slots[str(refs[0])]

    return slot_of
