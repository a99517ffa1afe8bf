"""How far a build has come, from phases that lie within steps of other phases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SMALLEST_STEP = 0.002


@dataclass(slots=True)
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildPhases:
    """Follows TensorRT's phases: each has a number of steps, and a step may be a phase by itself.

    Steps take different times, so the share is a hint and no clock; it never falls.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Phase] = {}
        self._reached = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, within the present step of its parent."""
        self._open[name] = _Phase(parent, max(steps, 1))

    def step(self, name: str, index: int) -> None:
        """A phase has done its step number `index`, from 0."""
        if name in self._open:
            self._open[name].done = index + 1

    def finish(self, name: str) -> None:
        """A phase is over."""
        self._open.pop(name, None)

    def share(self) -> float:
        """Share done, 0..1, of the outermost phase."""
        outermost = [name for name, phase in self._open.items() if phase.parent not in self._open]
        if outermost:
            self._reached = max(self._reached, self._share(outermost[0]))
        return self._reached

    def _share(self, name: str) -> float:
        phase = self._open[name]
        inner = [other for other, one in self._open.items() if one.parent == name]
        within = max((self._share(other) for other in inner), default=0.0)
        return min((phase.done + within) / phase.steps, 1.0)


def monitor_of(trt: Any, report: Callable[[float], None]) -> Any:  # noqa: ANN401 - untyped library
    """An IProgressMonitor that reports the share done, 0..1, whenever it has grown noticeably."""
    phases, told = BuildPhases(), [0.0]

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # untyped library
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)  # the bindings want it called in this way

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            phases.step(phase_name, step)
            share = phases.share()
            if share - told[0] >= SMALLEST_STEP:
                told[0] = share
                report(share)
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()
