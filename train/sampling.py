"""Choosing what a step sees. A batch depends on nothing but the seed and the step number.

So a resumed run sees exactly what an uninterrupted one would have seen, and there is no state to
save.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from train.augment import augment
from train.config import DataConfig, OptimConfig
from train.strips import CLASSES, HEIGHT, WIDTH, ClassMap, Grey, StripSet

Draw: TypeAlias = Callable[[np.random.Generator], tuple[Grey, ClassMap]]
"""Draws one simulated strip."""

_SIMULATED_STREAM = 1
_BATCH_STREAM = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """(N, 1, H, W) grey values and (N, H, W) classes."""

    strips: Grey
    classes: ClassMap


@dataclass(frozen=True, slots=True)
class Pool:
    """Strips of one kind and which of them have which class.

    Attributes:
        strips: the pixels.
        with_class: row numbers of the strips that have class 1, 2, 3, 4.
        clean: row numbers of those without any.
    """

    strips: StripSet
    with_class: tuple[NDArray[np.int64], ...]
    clean: NDArray[np.int64]

    @classmethod
    def of(cls, strips: StripSet) -> "Pool":
        """Index a set of strips."""
        presence = strips.presence() if len(strips) else np.zeros((0, CLASSES), bool)
        with_class = tuple(np.flatnonzero(presence[:, k]) for k in range(CLASSES))
        return cls(strips, with_class, np.flatnonzero(~presence.any(axis=1)))


def simulate_strips(draw: Draw, *, count: int, clean_share: float, seed: int) -> StripSet:
    """Draw `count` strips, of which about `clean_share` have no defect.

    Strip n is drawn from (seed, n) alone; drawings of the kind that is no longer wanted are passed
    over.
    """
    clean_wanted = round(count * clean_share)
    wanted = {True: clean_wanted, False: count - clean_wanted}
    kept: list[tuple[Grey, ClassMap]] = []
    for number in range(20 * count):
        if len(kept) == count:
            break
        grey, classes = draw(np.random.default_rng((seed, _SIMULATED_STREAM, number)))
        is_clean = not classes.any()
        if wanted[is_clean]:
            wanted[is_clean] -= 1
            kept.append((grey, classes))
    shape = (len(kept), HEIGHT, WIDTH)
    return StripSet(
        names=tuple(f"simulated-{n:05d}" for n in range(len(kept))),
        images=np.array([grey for grey, _ in kept], np.uint8).reshape(shape),
        classes=np.array([classes for _, classes in kept], np.uint8).reshape(shape),
    )


@dataclass(frozen=True, slots=True)
class Sampler:
    """Makes the batch of any step."""

    real: Pool
    simulated: Pool
    data: DataConfig
    optim: OptimConfig
    seed: int

    def batch(self, step: int) -> Batch:
        """The crops of one step: whole strips towards the end of the run, fewer of them."""
        rng = np.random.default_rng((self.seed, _BATCH_STREAM, step))
        is_full_width = step >= self.optim.steps * (1 - self.optim.full_width_share)
        width = WIDTH if is_full_width else self.optim.crop_width
        count = max(1, self.optim.batch * self.optim.crop_width // width)
        crops = [self._crop(rng, width) for _ in range(count)]
        return Batch(
            strips=np.stack([grey for grey, _ in crops])[:, None],
            classes=np.stack([classes for _, classes in crops]),
        )

    def _crop(self, rng: np.random.Generator, width: int) -> tuple[Grey, ClassMap]:
        draw = rng.random()
        is_simulated = draw < self.data.simulated_share and len(self.simulated.strips) > 0
        pool = self.simulated if is_simulated else self.real
        clean_share = self.data.simulated_clean_share if is_simulated else self._real_clean_share()
        wants_clean = rng.random() < clean_share and len(pool.clean) > 0
        row, class_id = self._pick(pool, rng=rng, wants_clean=wants_clean)
        grey, classes = pool.strips.images[row], pool.strips.classes[row]
        left = self._left(classes, class_id, rng=rng, width=width)
        window = slice(left, left + width)
        return augment(grey[:, window], classes[:, window], rng=rng)

    def _real_clean_share(self) -> float:
        return min(1.0, self.data.clean_share / max(1e-9, 1 - self.data.simulated_share))

    def _pick(self, pool: Pool, *, rng: np.random.Generator, wants_clean: bool) -> tuple[int, int]:
        """A row and the class it was picked for, 0 where it was picked for being clean."""
        if wants_clean or not any(map(len, pool.with_class)):
            return int(rng.choice(pool.clean)), 0
        shares = np.array(self.data.class_shares) * [len(rows) > 0 for rows in pool.with_class]
        k = int(rng.choice(CLASSES, p=shares / shares.sum()))
        return int(rng.choice(pool.with_class[k])), k + 1

    def _left(
        self, classes: ClassMap, class_id: int, *, rng: np.random.Generator, width: int
    ) -> int:
        last = WIDTH - width
        if last and class_id and rng.random() < self.data.on_defect_share:
            columns = np.flatnonzero((classes == class_id).any(axis=0))
            return int(np.clip(rng.choice(columns) - rng.integers(width), 0, last))
        return int(rng.integers(last + 1))
