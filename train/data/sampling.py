"""Choosing what a step sees. A crop depends on nothing but seed, step and its number in the step.

So a resumed run sees exactly what an uninterrupted one would have seen, there is no state to save,
and a step is the same however its crops are dealt to micro-batches and processes.
"""

import math
from dataclasses import dataclass

import numpy as np

from train.config import DataConfig, OptimConfig, RunConfig
from train.data.augment import USUAL, Strength, augment
from train.data.clean import LENGTH_PX, CleanStretches
from train.data.cropping import cut, place_anywhere, place_on_defect
from train.data.mixing import Kind, Mix, Pool, mix_notes, plan_mix
from train.data.strips import ClassMap, DataError, Grey, StripSet

_CROP_STREAM = 2
_EPOCH_STREAM = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """(N, 1, H, W) grey values and (N, H, W) classes."""

    strips: Grey
    classes: ClassMap


@dataclass(frozen=True, slots=True)
class Sampler:
    """Makes the batch of any step.

    Attributes:
        real: strips to train on.
        simulated: strips mixed in; perhaps none.
        stretches: of the defective real strips.
        mix: what crops are picked for; an epoch takes real strips as they come instead.
        data: how a batch is mixed.
        optim: how large it is.
        crop_hw: height and width of a crop.
        whole_hw: of a whole strip, rounded up; None where strips differ in size.
        seed: of the run.
        ranks: processes that share a step.
        strength: of the augmentation.
    """

    real: Pool
    simulated: Pool
    stretches: CleanStretches
    mix: Mix
    data: DataConfig
    optim: OptimConfig
    crop_hw: tuple[int, int]
    whole_hw: tuple[int, int] | None
    seed: int
    ranks: int = 1
    strength: Strength = USUAL

    @classmethod
    def of(
        cls,
        training: StripSet,
        simulated: StripSet,
        config: RunConfig,
        *,
        ranks: int = 1,
        strength: Strength = USUAL,
    ) -> "Sampler":
        """Prepare the source of a run's batches.

        Raises:
            DataError: no strips, none of the kinds that the mix asks for, or simulated strips with
                other classes than the real ones.
        """
        data, optim = config.data, config.optim
        _check(training, simulated, data)
        real = Pool.of(training, class_shares=data.class_shares)
        drawn = Pool.of(simulated, class_shares=data.class_shares if len(simulated) else ())
        multiple = config.network.input_multiple_px
        height, width = _crop_size(training, optim, multiple=multiple)
        defective = np.flatnonzero(training.presence().any(axis=1)).tolist()
        stretches = CleanStretches.of(training.rows(defective), length_px=min(LENGTH_PX, width))
        return cls(
            real=real,
            simulated=drawn,
            stretches=stretches,
            mix=plan_mix(data, real, drawn, stretches),
            data=data,
            optim=optim,
            crop_hw=(height, width),
            whole_hw=_whole_size(training, multiple=multiple),
            seed=config.seed,
            ranks=ranks,
            strength=strength,
        )

    def notes(self) -> tuple[str, ...]:
        """What can't be as it was configured, in sentences for the log."""
        if self.data.sampling == "epoch":
            what = "an epoch takes every strip once: simulated strips and shares play no part"
            return (what, *self._height_note())
        return (
            *mix_notes(self.data, self.real, self.simulated, self.mix),
            *self._height_note(),
        )

    def _height_note(self) -> tuple[str, ...]:
        usual = float(np.median([image.shape[0] for image in self.real.strips.images]))
        if self.optim.crop_height or 2 * self.crop_hw[0] > usual:
            return ()
        what = f"crops have {self.crop_hw[0]} rows, for the lowest strip's sake, though half of all"
        return (f"{what} have {usual:.0f} or more: set optim.crop_height",)

    def parts(self, step: int) -> int:
        """How many micro-batches make a step, over all ranks."""
        if self.optim.accumulate == "epoch":
            return math.ceil(len(self.real.strips) / self._count(step))
        return self.optim.accumulate * self.ranks

    def batch(self, step: int, part: int = 0) -> Batch:
        """The crops of one micro-batch: whole strips towards the end of the run, fewer of them.

        With `accumulate = "epoch"` the last part of a step holds what is left.

        Raises:
            DataError: the step has no such part.
        """
        count = self._count(step)
        numbers = range(part * count, min((part + 1) * count, self._per_step(step)))
        if part < 0 or not numbers:
            raise DataError(f"step {step} has parts 0..{self.parts(step) - 1}, not {part}")
        crops = [self._crop(step, number) for number in numbers]
        return Batch(
            strips=np.stack([grey for grey, _ in crops])[:, None],
            classes=np.stack([classes for _, classes in crops]),
        )

    def epoch(self, step: int) -> float:
        """How often every real strip would have been seen before a step, at one crop per strip."""
        return self._crops_before(step) / len(self.real.strips)

    def _crop(self, step: int, number: int) -> tuple[Grey, ClassMap]:
        rng = np.random.default_rng((self.seed, _CROP_STREAM, step, number))
        height, width = self._size(step)
        kind = "defects" if self.data.sampling == "epoch" else self.mix.pick(rng)
        if kind == "clean_windows":
            return self._clean_window(height, width, rng=rng)
        strips = (self.simulated if kind == "simulated" else self.real).strips
        row, class_id = self._choose(kind, step, number, rng=rng)
        classes = strips.classes[row]
        if class_id and rng.random() < self.data.on_defect_share:
            top, left = place_on_defect(classes, class_id, height=height, width=width, rng=rng)
        else:
            top, left = place_anywhere(classes, height=height, width=width, rng=rng)
        grey, classes = cut(
            strips.images[row], classes, top=top, left=left, height=height, width=width
        )
        return augment(grey, classes, rng=rng, strength=self.strength)

    def _choose(
        self, kind: Kind, step: int, number: int, *, rng: np.random.Generator
    ) -> tuple[int, int]:
        """A row of the strips of a kind, and the class that it was drawn for, or 0."""
        if self.data.sampling == "epoch":
            epoch, place = divmod(self._crops_before(step) + number, len(self.real.strips))
            order = np.random.default_rng((self.seed, _EPOCH_STREAM, epoch))
            return int(order.permutation(len(self.real.strips))[place]), 0
        if kind == "simulated":
            clean = rng.random() < self.data.simulated_clean_share
            return self.simulated.pick(rng, clean=clean)
        return self.real.pick(rng, clean=kind == "clean_strips")

    def _clean_window(
        self, height: int, width: int, *, rng: np.random.Generator
    ) -> tuple[Grey, ClassMap]:
        def change(piece: Grey) -> Grey:
            return augment(piece, np.zeros_like(piece), rng=rng, strength=self.strength)[0]

        lowest = min(height, self.stretches.lowest_px)
        grey = self.stretches.strip(rng, width, height=lowest, change=change)
        return cut(grey, np.zeros_like(grey), top=0, left=0, height=height, width=width)

    def _size(self, step: int) -> tuple[int, int]:
        is_whole = self.whole_hw is not None and step >= self._whole_from()
        return self.whole_hw if is_whole and self.whole_hw else self.crop_hw

    def _whole_from(self) -> int:
        return math.ceil(self.optim.steps * (1 - self.optim.full_width_share))

    def _count(self, step: int) -> int:
        """Crops of one micro-batch: so many that the pixels stay the same."""
        pixels = self.optim.batch * math.prod(self.crop_hw)
        return max(1, pixels // math.prod(self._size(step)))

    def _per_step(self, step: int) -> int:
        """Crops of one step, over all ranks."""
        if self.optim.accumulate == "epoch":
            return len(self.real.strips)
        return self._count(step) * self.parts(step)

    def _crops_before(self, step: int) -> int:
        cropped = min(step, self._whole_from())
        return cropped * self._per_step(0) + (step - cropped) * self._per_step(step)


def _check(training: StripSet, simulated: StripSet, data: DataConfig) -> None:
    if not len(training):
        raise DataError("there are no strips to train on")
    is_mixed_in = len(simulated) and data.simulated_share and data.sampling == "balanced"
    if is_mixed_in and simulated.class_count != training.class_count:
        raise DataError(
            f"simulated strips have {simulated.class_count} classes, the data have "
            f"{training.class_count}: they can't be mixed; set data.simulated_strips=0"
        )


def _crop_size(strips: StripSet, optim: OptimConfig, *, multiple: int) -> tuple[int, int]:
    """Height and width: as configured, but not beyond the lowest and the widest strip."""
    lowest = min(image.shape[0] for image in strips.images)
    widest = max(image.shape[1] for image in strips.images)
    height = optim.crop_height or max(multiple, lowest // multiple * multiple)
    return height, min(optim.crop_width, max(multiple, widest // multiple * multiple))


def _whole_size(strips: StripSet, *, multiple: int) -> tuple[int, int] | None:
    sizes = strips.sizes_hw()
    if len(sizes) > 1:
        return None
    ((height, width),) = sizes
    return math.ceil(height / multiple) * multiple, math.ceil(width / multiple) * multiple
