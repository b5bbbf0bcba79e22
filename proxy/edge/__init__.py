"""Floor 3, the outside world: one foreign library or protocol per file."""
