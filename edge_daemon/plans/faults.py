"""What can go wrong with plans, each with its remedy.

NoPlanError           the plan can't be had; inspection goes on with what is there
|-- NoTensorRtError   no builder on this box, or none for this GPU
|-- OperatorError     the builder has no way to do one of the network's operators
|-- BuildStoppedError the caller asked for an end
`-- PlanRejectedError the plan in the cache may not be run; `fault` says why
"""

from enum import StrEnum
from pathlib import Path

from edge_daemon.errors import EdgeDaemonError


class NoPlanError(EdgeDaemonError):
    """There is no plan, and the message says why."""


class NoTensorRtError(NoPlanError):
    """Nothing here can build or run plans, or not for this GPU."""


class OperatorError(NoPlanError):
    """The builder refuses an operator of the network.

    Attributes:
        operators: their names.
    """

    def __init__(self, operators: list[str], detail: str, *, remedy: str) -> None:
        super().__init__(f"no way to convert {', '.join(operators)}: {detail}; {remedy}")
        self.operators = operators


class BuildStoppedError(NoPlanError):
    """The build was given up because the caller asked for it."""


class PlanFault(StrEnum):
    """Why a plan in the cache may not be run."""

    MISSING = "missing"
    STALE = "stale"
    NO_RECORD = "no_record"
    BAD_RECORD = "bad_record"
    FOREIGN = "foreign"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"


class PlanRejectedError(NoPlanError):
    """A plan in the cache may not be run.

    Attributes:
        fault: why.
    """

    def __init__(self, fault: PlanFault, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {fault.value.replace('_', ' ')}: {detail}")
        self.fault = fault
