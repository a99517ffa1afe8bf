"""How many frames in a second a camera may send: a token bucket for each.

A bucket holds as many tokens as a second brings and is filled evenly; each frame takes one. So a
camera that was held up may make good a second's frames at once, and no more.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_NS_PER_S: Final = 1_000_000_000
_EVERYBODY_ELSE: Final = ""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_ns: int


class Allowance:
    """The buckets of all cameras; as many as are allowed, whatever names a stranger makes up.

    Args:
        frames_per_s: of each camera; infinite for no limit.
        most_cameras: more than these share one bucket, until one of them has been idle so long
            that its bucket is full again.
    """

    def __init__(self, frames_per_s: float, *, most_cameras: int) -> None:
        self._per_s = frames_per_s
        self._capacity = max(1.0, frames_per_s)
        self._most_cameras = most_cameras
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, camera: str, *, now_ns: int) -> bool:
        """Take a token for a frame; False where there is none.

        Args:
            camera: whose frame it is.
            now_ns: on the monotonic clock.
        """
        if math.isinf(self._per_s):
            return True
        bucket = self._bucket(camera, now_ns)
        gained = (now_ns - bucket.filled_ns) * self._per_s / _NS_PER_S
        bucket.tokens = min(self._capacity, bucket.tokens + gained)
        bucket.filled_ns = now_ns
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _bucket(self, camera: str, now_ns: int) -> _Bucket:
        if camera not in self._buckets and len(self._buckets) >= self._most_cameras:
            eldest = next(iter(self._buckets))
            idle_s = (now_ns - self._buckets[eldest].filled_ns) / _NS_PER_S
            if idle_s * self._per_s < self._capacity:
                camera = _EVERYBODY_ELSE
            else:
                del self._buckets[eldest]
        bucket = self._buckets.setdefault(camera, _Bucket(self._capacity, now_ns))
        self._buckets.move_to_end(camera)
        return bucket
