"""Floor 1, the machines: they decide from what they are told, and know no clock, loop or socket."""
