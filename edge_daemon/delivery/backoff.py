"""How long to wait before trying again."""

import random


class Backoff:
    """Waits that double from `first_s` to `most_s`, each shortened at random by up to a half.

    The chance keeps the stations of a plant from all coming back in the same second after the
    broker was away.
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def next_ns(self) -> int:
        """Return the wait from now on, in ns; the following one will be about twice as long."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, no secret
        self._next_s = min(self._next_s * 2, self._most_s)
        return int(wait_s * 1e9)

    def reset(self) -> None:
        """Begin anew with `first_s`: it went well."""
        self._next_s = self._first_s
