from collections.abc import Callable

import pytest

from proxy.core.call import Call, Reply
from proxy.core.mode import Moded, ModeName


class Layer(Moded):
    section = "layer"

    def __init__(self, configured: ModeName) -> None:
        self.told: list[bool] = []
        super().__init__(configured)

    def take_mode(self, *, enforce: bool) -> None:
        super().take_mode(enforce=enforce)
        self.told.append(enforce)

    async def __call__(self, call: Call) -> Reply:
        raise NotImplementedError


@pytest.mark.parametrize(("configured", "enforce"), [("enforce", True), ("report", False)])
def test_a_layer_begins_as_configured(configured: ModeName, enforce: bool) -> None:
    layer = Layer(configured)
    assert (layer.told, layer.mode(), layer.overrides) == ([enforce], {"mode": configured}, ())


def test_an_operator_holds_the_mode_until_auto() -> None:
    layer = Layer("enforce")
    steps: list[Callable[[], None]] = [layer.actions[name] for name in ("report", "enforce", "auto")]
    seen = []
    for step in steps:
        step()
        seen.append((layer.mode(), layer.overrides))
    assert seen == [
        ({"mode": "report", "override": "report"}, ("report",)),
        ({"mode": "enforce", "override": "enforce"}, ("enforce",)),
        ({"mode": "enforce"}, ()),
    ]
    assert layer.told == [True, False, True, True]
