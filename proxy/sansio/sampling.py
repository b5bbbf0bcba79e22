"""Which of many lines are written, so that a busy hour does not fill the disk with successes."""


class Sampler:
    """Writes the first lines of each second, and beyond those one of so many.

    first: lines of a second that are written in any case. every: of how many others one is; counted across seconds, so
    that what the written ones stand for adds up to what there was, but for the last few.
    """

    __slots__ = ("_every", "_first", "_further", "_second", "_seen")

    def __init__(self, first: int, every: int) -> None:
        self._first = first
        self._every = every
        self._second = self._seen = self._further = 0

    def weigh(self, now: float) -> int:
        """Decide about the next line; `now` in seconds of any clock that does not go back.

        Returns: for how many lines it stands: 1 for itself alone, 0 when it is left out.
        """
        second = int(now)
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        if self._seen <= self._first:
            return 1
        self._further += 1
        if self._further < self._every:
            return 0
        self._further = 0
        return self._every
