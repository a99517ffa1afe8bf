"""`edge-daemon check`: is this box ready to inspect, and if not, what has to be done?

Every check answers for itself, so that one call shows all that is wrong.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

from edge_daemon.assembly import OUTBOX_NAME
from edge_daemon.config import DEFAULT_PATH, load_config, state_directory
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.subscriber import LinkChanged, Subscriber
from edge_daemon.engine import load_engine, plan_request
from edge_daemon.errors import ConfigurationError, EdgeDaemonError, StoreError
from edge_daemon.findings import Doors, Finding, check_folder
from edge_daemon.ingest.keys import load_keyring
from edge_daemon.listeners import listens_on
from edge_daemon.plans.cache import cache_folder
from edge_daemon.settings import Config
from edge_daemon.storage.glance import Glance, glance
from edge_daemon.unit import INSTALLED, Unit

_BROKER_PATIENCE_S = 5.0


def check(path: Path | None, unit: Unit | None = None) -> Iterator[Finding]:
    """Check configuration, bundle, folders, endpoints and broker. Nothing is left behind.

    Args:
        path: the configuration file, as for `load_config`.
        unit: whose eyes to look through; by default those of this process.
    """
    if unit is None and os.geteuid() == 0 and INSTALLED.exists():
        detail = f"{INSTALLED} is there: --unit {INSTALLED.stem} sees what the service sees"
        yield Finding("unit", ok=True, detail=detail)
    if path is None and unit is not None:
        path = unit.config_file
    try:
        config = load_config(path) if unit is None else unit.load(path)
    except EdgeDaemonError as error:
        yield Finding("configuration", ok=False, detail=str(error))
        return
    found = path or (DEFAULT_PATH if DEFAULT_PATH.exists() else None)
    detail = f"the defaults ({DEFAULT_PATH} isn't there)" if found is None else str(found)
    yield Finding("configuration", ok=True, detail=detail)
    yield from _check_all(config, unit)


def _check_all(config: Config, unit: Unit | None) -> Iterator[Finding]:
    environ = os.environ if unit is None else unit.environ
    acting = nullcontext if unit is None else unit.acting
    directory = state_directory(config, environ)
    with acting():
        engine = _check_engine(config, environ)
    yield engine
    state = check_folder("state", directory, unit)
    books = _glance(directory, unit) if state.ok else None
    yield _with_books(state, books)
    if config.evidence.directory is not None:
        yield check_folder("evidence", config.evidence.directory, unit)
    if (keys := _check_keys(config)) is not None:
        yield keys
    with ExitStack() as held:  # each, until all are had: two might want the same
        doors = Doors(held, _listened(books))
        for endpoint in config.endpoints:
            if unit is not None and unit.makes_folder_of(endpoint):
                detail = f"{endpoint}: systemd makes its folder"
                yield Finding("cameras", ok=True, detail=detail)
                continue
            with acting():
                finding = doors.check_endpoint(endpoint)
            yield finding
        yield doors.check_http(config.http)
        yield _check_broker(config)


def _check_engine(config: Config, environ: Mapping[str, str]) -> Finding:
    section = config.bundle
    request = replace(plan_request(section), cache=cache_folder(environ))
    try:
        engine = load_engine(
            section.path, device=section.device, threads=section.threads, request=request
        )
    except EdgeDaemonError as error:
        return Finding("bundle", ok=False, detail=str(error))
    backend = engine.backend
    detail = (
        f"{engine.name} in {engine.bundle.directory}, gives its known answer "
        f"({backend.runtime} on {backend.device})"
    )
    if backend.missing_plan is not None:
        detail += f"; `edge-daemon compile` makes a plan for the GPU: {backend.missing_plan}"
    engine.exits.close()
    return Finding("bundle", ok=True, detail=detail)


def _glance(directory: Path, unit: Unit | None) -> Glance | StoreError | None:
    outbox = directory / OUTBOX_NAME
    try:
        with nullcontext() if unit is None or unit.will_be_given(directory) else unit.acting():
            return glance(outbox)
    except StoreError as error:
        return error


def _listened(books: Glance | StoreError | None) -> frozenset[int | str] | None:
    """What the daemon listens on that runs; None where that can't be seen."""
    if not isinstance(books, Glance) or not books.in_use:
        return frozenset()
    return None if books.pid is None else listens_on(books.pid)


def _with_books(state: Finding, books: Glance | StoreError | None) -> Finding:
    if books is None:
        return state
    if isinstance(books, StoreError):
        return Finding("state", ok=False, detail=str(books))
    return Finding("state", ok=True, detail=f"{state.detail}; {books}")


def _check_keys(config: Config) -> Finding | None:
    try:
        keyring = load_keyring(config.ingest, config.camera)
    except ConfigurationError as error:
        return Finding("keys", ok=False, detail=str(error))
    if keyring is None:
        return None
    without = [camera.id for camera in config.camera if camera.public_key is None]
    detail = f"{len(keyring.cameras)} cameras have one"
    if without:
        detail += f"; none has: {', '.join(without)} (by ipc only)"
    return Finding("keys", ok=True, detail="; ".join([detail, *keyring.warnings]))


def _check_broker(config: Config) -> Finding:
    try:
        broker = Broker.from_config(config.mqtt)
    except ConfigurationError as error:
        return Finding("broker", ok=False, detail=str(error))
    if broker is None:
        detail = "none configured ([mqtt] url): alerts are kept on disk and shown, not sent"
        return Finding("broker", ok=True, detail=detail)
    trouble = _probe(broker)
    if trouble is not None:
        detail = f"{broker.host}:{broker.port}: {trouble}; alerts would be kept until it is there"
        return Finding("broker", ok=False, detail=detail)
    detail = "; ".join([f"{broker.host}:{broker.port} accepts us", *broker.warnings])
    return Finding("broker", ok=True, detail=detail)


def _probe(broker: Broker) -> str | None:
    """Connect as a subscriber of our topics; returns what is wrong, or None."""
    with Subscriber(broker) as subscriber:
        for event in subscriber.events(idle_s=_BROKER_PATIENCE_S):
            if isinstance(event, LinkChanged):
                return None if event.connected else event.detail
    return f"no answer within {_BROKER_PATIENCE_S:g} s"
