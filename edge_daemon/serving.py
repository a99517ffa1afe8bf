"""The daemon as a service: one run after the other, each with the configuration of its time.

SIGHUP asks for a new configuration. It is read and checked while the old run goes on; if it is no
good, that is said and nothing changes. If it is, the old run ends in order and a new one begins in
the same process, by the one way that there is into every state: starting. A run that doesn't get
through its start is followed by one with the configuration from before.
"""

import gc
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from edge_daemon.certificates import server_context
from edge_daemon.clock import Clock
from edge_daemon.config import load_config, state_directory
from edge_daemon.daemon import Daemon
from edge_daemon.delivery.broker import Broker
from edge_daemon.engine import Engine, load_configured, shipped_bundle
from edge_daemon.errors import ConfigurationError, EdgeDaemonError
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.ingest.keys import load_keyring
from edge_daemon.settings import BundleSection, Config, HttpSection
from edge_daemon.signals import follow_orders
from edge_daemon.telemetry.token import BearerToken

_LOG = logging.getLogger(__name__)


def serve(
    path: Path | None,
    clock: Clock,
    *,
    environ: Mapping[str, str],
    load_engine: Callable[[BundleSection], Engine] = load_configured,
) -> int:
    """Run the daemon until it is told to stop or fails; returns the exit code.

    Args:
        path: the configuration file, as for `load_config`; read again at each SIGHUP.
        clock: the machine's clocks.
        environ: where systemd leaves its sockets and folders.
        load_engine: gives the network.

    Raises:
        EdgeDaemonError: the first run doesn't get through its start.
    """
    config, former = load_config(path, environ), None
    reloaded = True
    with follow_orders() as orders:
        while True:
            daemon = Daemon(
                config,
                clock,
                environ=environ,
                orders=orders,
                successor=partial(_read_anew, path, environ, config),
                reloaded=reloaded,
                load_engine=load_engine,
            )
            try:
                ending = daemon.run()
            except EdgeDaemonError as error:
                if former is None or daemon.was_ready:
                    raise
                _LOG.critical("the new configuration doesn't start, back to the old one: %s", error)
                config, former, reloaded = former, None, False
                continue
            if ending.successor is None:
                return ending.code
            config, former, reloaded = ending.successor, config, True
            del daemon
            gc.collect()  # the old run's network goes before the new one's comes


def _read_anew(path: Path | None, environ: Mapping[str, str], present: Config) -> Config | None:
    """The configuration as it is now, if all that it names can be used."""
    try:
        config = load_config(path, environ)
        _refuse_to_move(present, config, environ)
        load_bundle(config.bundle.path or shipped_bundle())
        load_keyring(config.ingest, config.camera)
        Broker.from_config(config.mqtt)
        _read_credentials(config.http)
    except EdgeDaemonError as error:
        _LOG.error("the new configuration is no good, the old one stays: %s", error)
        return None
    _LOG.info("the new configuration is good: beginning anew with it")
    return config


def _refuse_to_move(present: Config, config: Config, environ: Mapping[str, str]) -> None:
    """Refuse what would leave alerts behind that wait, or tell them to somebody else.

    Raises:
        ConfigurationError: the state folder or the topics are others.
    """
    before, after = (state_directory(each, environ).resolve() for each in (present, config))
    if before != after:
        changed = "[state] directory"
    elif config.mqtt.root != present.mqtt.root:
        changed = "[mqtt] root"
    else:
        return
    raise ConfigurationError(
        f"{changed} has changed: alerts that wait would be left behind, or told under another "
        "root; wait until edge_daemon_outbox_depth is 0 and restart instead"
    )


def _read_credentials(section: HttpSection) -> None:
    if section.certificate_file is not None and section.key_file is not None:
        server_context(section.certificate_file, section.key_file, section="http")
    if section.token_file is not None:
        BearerToken.from_file(section.token_file)
