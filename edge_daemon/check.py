"""`edge-daemon check`: is this box ready to inspect, and if not, what has to be done?

Every check answers for itself, so that one call shows all that is wrong.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.assembly import OUTBOX_NAME
from edge_daemon.clock import SystemClock
from edge_daemon.config import DEFAULT_PATH, load_config, state_directory
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.subscriber import LinkChanged, Subscriber
from edge_daemon.engine import load_configured
from edge_daemon.errors import ConfigurationError, EdgeDaemonError, StoreError
from edge_daemon.ingest.endpoint import bind_pull
from edge_daemon.ingest.keys import load_keyring
from edge_daemon.settings import Config, HttpSection
from edge_daemon.storage.glance import glance
from edge_daemon.telemetry.health import Health
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.web import WebServer

_BROKER_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        subject: what was checked.
        ok: whether it is as it should be.
        detail: what was found; if it isn't ok, what is wrong and the remedy.
    """

    subject: str
    ok: bool
    detail: str


def check(path: Path | None) -> Iterator[Finding]:
    """Check configuration, bundle, state folder, endpoints and broker.

    Args:
        path: the configuration file, as for `load_config`.
    """
    try:
        config = load_config(path)
    except ConfigurationError as error:
        yield Finding("configuration", ok=False, detail=str(error))
        return
    found = path or (DEFAULT_PATH if DEFAULT_PATH.exists() else None)
    detail = f"the defaults ({DEFAULT_PATH} isn't there)" if found is None else str(found)
    yield Finding("configuration", ok=True, detail=detail)
    yield _check_engine(config)
    yield _check_state(config)
    yield from (_check_endpoint(endpoint) for endpoint in config.endpoints)
    if (keys := _check_keys(config)) is not None:
        yield keys
    yield _check_http(config.http)
    yield _check_broker(config)


def _check_engine(config: Config) -> Finding:
    section = config.bundle
    try:
        engine = load_configured(section)
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


def _check_state(config: Config) -> Finding:
    directory = state_directory(config)
    probe = directory / ".probe"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(os.urandom(4096))
        probe.unlink()
    except OSError as error:
        detail = (
            f"{directory}: can't be written ({error.strerror}); name another folder with [state] "
            "directory, or run this as the user of the daemon"
        )
        return Finding("state", ok=False, detail=detail)
    try:
        books = glance(directory / OUTBOX_NAME)
    except StoreError as error:
        return Finding("state", ok=False, detail=str(error))
    detail = f"{directory} can be written" + ("" if books is None else f"; {books}")
    return Finding("state", ok=True, detail=detail)


def _check_endpoint(endpoint: str) -> Finding:
    try:
        with bind_pull(endpoint, max_part_bytes=1):
            pass
    except EdgeDaemonError as error:
        return Finding("cameras", ok=False, detail=f"[ingest] bind: {error}")
    return Finding("cameras", ok=True, detail=f"{endpoint} is free")


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
    return Finding("keys", ok=True, detail=detail)


def _check_http(section: HttpSection) -> Finding:
    server = WebServer(
        section.bind,
        Metrics(),
        health=Health(SystemClock()),
        certificate_file=section.certificate_file,
        key_file=section.key_file,
        token_file=section.token_file,
    )
    try:
        with server:
            detail = f"{section.bind} is free"
    except EdgeDaemonError as error:
        return Finding("http", ok=False, detail=str(error))
    return Finding("http", ok=True, detail="; ".join([detail, *server.warnings]))


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
