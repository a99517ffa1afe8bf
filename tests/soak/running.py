"""One soak from beginning to end."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.soak.judging import History
from tests.soak.line import Line, line
from tests.soak.sampling import Sample, between, percentile_s, take_sample
from tests.soak.schedule import Fault, Planned, plan

_SAMPLE_S: Final = 1.0
_TELL_S: Final = 10.0
_BLACK_HOLE_S: Final = (2.0, 15.0)
_BLACK_HOLE_SHARE: Final = 0.05
_NAP_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be soaked, and for how long."""

    seconds: float
    cameras: int
    frames_per_s: float
    seed: int


def soak(order: Order, folder: Path, *, tell: Callable[[str], None]) -> History:
    """Run it.

    Args:
        order: how long, how many cameras.
        folder: for logs and state.
        tell: gets a line every 10 s.

    Raises:
        ValueError: too short.
    """
    planned = plan(seconds=order.seconds, cameras=order.cameras, seed=order.seed)
    with line(
        folder, cameras=order.cameras, frames_per_s=order.frames_per_s, seed=order.seed
    ) as it:
        samples = _Soaking(it, order, tell=tell).run(planned)
        announced, coverage = it.finish()
        delivery = it.plant.judge(announced)
        heard = "".join(f"{topic} {json.dumps(m)}\n" for topic, m in it.plant.messages)
        (folder / "heard").write_text(heard, encoding="utf-8")
        return History(
            seconds=order.seconds,
            samples=samples,
            delivery=delivery,
            coverage=coverage,
            faults=dict(it.injected),
            frames=sum(camera.frames for camera in it.cameras),
            starts_s=it.starts_s,
            surprises=it.surprises,
        )


class _Soaking:
    """The loop: inject what is due, look, tell."""

    def __init__(self, it: Line, order: Order, *, tell: Callable[[str], None]) -> None:
        self._line = it
        self._order = order
        self._tell = tell
        self._began_s = time.monotonic()
        self._fair_at_s = 0.0
        self._look_at_s = 0.0
        self._tell_at_s = _TELL_S
        self._samples: list[Sample] = []

    def run(self, planned: Sequence[Planned]) -> list[Sample]:
        due = [*planned]
        while (at_s := time.monotonic() - self._began_s) < self._order.seconds:
            if self._fair_at_s <= at_s:
                self._line.clear_up()
            if due and due[0].at_s <= at_s:
                self._inject(due.pop(0), at_s)
            self._line.watch()
            if self._look_at_s <= at_s:
                self._look_at_s = at_s + _SAMPLE_S
                self._look(at_s)
            if self._tell_at_s <= at_s:
                self._tell_at_s += _TELL_S
                self._tell(self._report(at_s))
            time.sleep(_NAP_S)
        return self._samples

    def _inject(self, planned: Planned, at_s: float) -> None:
        if planned.fault is Fault.BLACK_HOLE:
            shortest_s, longest_s = _BLACK_HOLE_S
            share_s = _BLACK_HOLE_SHARE * self._order.seconds
            self._fair_at_s = at_s + min(max(share_s, shortest_s), longest_s)
        self._line.inject(planned.fault, planned.camera)

    def _look(self, at_s: float) -> None:
        daemon = self._line.daemon
        scrape = daemon.look()
        if daemon.exit_code is None:
            sample = take_sample(daemon.pid, scrape, at_s=at_s, life=self._line.life)
            self._samples += [] if sample is None else [sample]

    def _report(self, at_s: float) -> str:
        frames = sum(camera.frames for camera in self._line.cameras)
        said = (
            f"{at_s:6.0f} s  {self._line.injected.total():4d} faults  life {self._line.life:2d}"
            f"  {frames:6d} frames  {len(self._line.plant.durable()):6d} messages"
        )
        if not self._samples or self._samples[-1].life != self._line.life:
            return f"{said}  (starting)"
        now = self._samples[-1]
        before = next((s for s in self._samples if s.at_s >= at_s - _TELL_S), now)
        p99_s = percentile_s(between(before.latency, now.latency), 0.99)
        late = "    -  " if p99_s is None else f"{p99_s * 1e3:5.0f} ms"
        return f"{said}  outbox {now.depth:5d}  {now.rss_mib:5.0f} MiB  p99 {late}"
