"""The folder of plans: found, held against their record, put down whole or not at all.

    FINGERPRINT.plan   the serialized engine
    FINGERPRINT.json   its record: what it was made from and for, SHA-256 and size; written last
    *.partial          a plan that is being built
    builds.lock        held while one is built: builders would disturb each other's measurements

A plan is code for the GPU, and loading one trusts it: so only what fits its record is handed out,
and the folder has to be writable by its owner only. The hashes find damage and mix-ups; they are no
signature.
"""

import contextlib
import fcntl
import json
import os
import statistics
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_daemon.inference.bundle import sha256_of
from edge_daemon.inference.manifest import Sha256
from edge_daemon.plans.faults import (
    BuildStoppedError,
    NoPlanError,
    PlanFault,
    PlanRejectedError,
)
from edge_daemon.plans.fingerprint import PlanKey
from edge_daemon.plans.layers import PlanContents

POLL_S = 0.1
AGEING = frozenset({"recipe", "builder_version", "flavour_version", "driver"})
"""Fields of a key that change with an update: a plan that differs in these alone is stale."""
WRITABLE_BY_OTHERS = 0o022


class PlanRecord(BaseModel):
    """What a plan is; stands beside it.

    Attributes:
        schema_: of this record.
        key: what the plan was made from, by and for.
        sha256: of the plan's file.
        size: of the plan's file in bytes.
        built_s: seconds that it took.
        contents: what is inside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    key: PlanKey
    sha256: Sha256
    size: Annotated[int, Field(ge=1)]
    built_s: Annotated[float, Field(ge=0)]
    contents: PlanContents

    def to_json(self) -> dict[str, object]:
        """For files and `--json`."""
        return self.model_dump(mode="json", by_alias=True)


def read_record(plan: Path) -> PlanRecord:
    """The record beside a plan.

    Raises:
        PlanRejectedError: there is none, or it can't be read.
    """
    record = plan.with_suffix(".json")
    try:
        return PlanRecord.model_validate_json(record.read_bytes())
    except FileNotFoundError as error:
        raise PlanRejectedError(PlanFault.NO_RECORD, plan, f"no {record.name}") from error
    except (OSError, ValidationError) as error:
        said = str(error).splitlines()[0]
        raise PlanRejectedError(PlanFault.BAD_RECORD, record, said) from error


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where plans lie: below systemd's cache directory, else below the user's."""
    if given := environ.get("CACHE_DIRECTORY"):
        return Path(given.split(":")[0]) / "plans"
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edge-daemon" / "plans"


@dataclass(frozen=True, slots=True)
class PlanCache:
    """A folder of plans.

    Attributes:
        folder: need not be there yet.
    """

    folder: Path

    def path(self, key: PlanKey) -> Path:
        """Where the plan of this key lies, if it does."""
        return self.folder / f"{key.fingerprint}.plan"

    def find(self, key: PlanKey) -> Path:
        """The plan of this key, checked to the last byte.

        Raises:
            PlanRejectedError: there is none that may be run; its `fault` says why.
            NoPlanError: others may write to the folder.
        """
        path = self.path(key)
        if not path.is_file():
            raise self._missing(key)
        self._refuse_if_open_to_others()
        record = read_record(path)
        if record.key != key or record.key.fingerprint != path.stem:
            what = ", ".join(record.key.differences(key))
            raise PlanRejectedError(PlanFault.FOREIGN, path, f"it was made for another {what}")
        size = path.stat().st_size
        if size != record.size:
            raise PlanRejectedError(
                PlanFault.TRUNCATED, path, f"{size} bytes instead of {record.size}"
            )
        if (found := sha256_of(path)) != record.sha256:
            raise PlanRejectedError(
                PlanFault.DAMAGED, path, f"SHA-256 begins {found[:12]}, not {record.sha256[:12]}"
            )
        return path

    def expected_s(self, key: PlanKey) -> float | None:
        """Seconds that builds like this one took before, or None if there were none."""
        alike = [
            record.built_s
            for _, record in self._records()
            if (record.key.gpu, record.key.flavour, record.key.builder)
            == (key.gpu, key.flavour, key.builder)
        ]
        return statistics.median(alike) if alike else None

    @contextlib.contextmanager
    def building(self, stop: threading.Event, waiting: Callable[[], None]) -> Iterator[None]:
        """Be the only one that builds into this folder; half-built plans of the dead are removed.

        Args:
            stop: gives up waiting.
            waiting: called once if somebody else builds.

        Raises:
            BuildStoppedError: told to stop.
            NoPlanError: the folder can't be used.
        """
        self._make_folder()
        with (self.folder / "builds.lock").open("ab") as lock:
            _await_lock(lock.fileno(), stop, waiting)
            for left in self.folder.glob("*.partial"):
                left.unlink(missing_ok=True)
            yield

    def partial(self, key: PlanKey) -> Path:
        """A name for the plan while it is built."""
        return self.folder / f"{key.fingerprint}.{os.getpid()}.partial"

    def discard(self, key: PlanKey) -> None:
        """Remove what lies there under this key, the record first."""
        path = self.path(key)
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def commit(self, partial: Path, record: PlanRecord) -> Path:
        """Put a built and synced plan in its place, and remove those that it makes stale.

        Whatever moment the power fails at: the plan is there with its record, or rejected.

        Raises:
            PlanRejectedError: what was built isn't what the record says.
        """
        path = self.path(record.key)
        if (partial.stat().st_size, sha256_of(partial)) != (record.size, record.sha256):
            raise PlanRejectedError(PlanFault.DAMAGED, partial, "isn't what the builder wrote")
        self.discard(record.key)
        partial.rename(path)
        self._write_record(path.with_suffix(".json"), record)
        for stale, other in self._records():
            if _is_outdated(other.key, record.key):
                stale.unlink(missing_ok=True)
                stale.with_suffix(".json").unlink(missing_ok=True)
        return path

    def _write_record(self, path: Path, record: PlanRecord) -> None:
        text = json.dumps(record.to_json(), indent=2) + "\n"
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise NoPlanError(
                f"{self.folder}: {error.strerror}; plans need a folder to lie in: set "
                "CACHE_DIRECTORY, or name one with --cache"
            ) from error
        self._refuse_if_open_to_others()

    def _refuse_if_open_to_others(self) -> None:
        if self.folder.stat().st_mode & WRITABLE_BY_OTHERS:
            raise NoPlanError(
                f"{self.folder} can be written by others, and plans are executed; "
                f"chmod go-w {self.folder}"
            )

    def _missing(self, key: PlanKey) -> PlanRejectedError:
        for _, record in self._records():
            if _is_outdated(record.key, key):
                changes = record.key.differences(key)
                detail = ", ".join(f"{name} was {a}, is {b}" for name, (a, b) in changes.items())
                return PlanRejectedError(PlanFault.STALE, self.path(key), detail)
        return PlanRejectedError(PlanFault.MISSING, self.path(key), "not built yet")

    def _records(self) -> Iterator[tuple[Path, PlanRecord]]:
        for path in sorted(self.folder.glob("*.plan")):
            with contextlib.suppress(PlanRejectedError):
                yield path, read_record(path)


def _is_outdated(old: PlanKey, new: PlanKey) -> bool:
    changed = old.differences(new).keys()
    return bool(changed) and changed <= AGEING


def _await_lock(descriptor: int, stop: threading.Event, waiting: Callable[[], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting()
                told = True
            if stop.wait(POLL_S):
                raise BuildStoppedError("told to stop while another process builds") from None
        else:
            return
