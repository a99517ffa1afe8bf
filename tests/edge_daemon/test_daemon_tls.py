"""A daemon that its broker won't have, or that won't have it: said everywhere, nothing is lost."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_daemon.check import check
from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import DaemonProcess
from tests.edge_daemon.marked_steel import message, steel
from tests.guarded_site import Site, needs_guarded_broker

pytestmark = [pytest.mark.broker, needs_guarded_broker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.in_folder(tmp_path_factory.mktemp("site"))


def settings(site: Site, folder: Path) -> dict[str, Path]:
    """Copies of all our files, to be spoilt and mended."""
    sources = {
        "password_file": site.password_file,
        "ca_file": site.plant.certificate,
        "certificate_file": site.client,
        "key_file": site.client.with_suffix(".key"),
    }
    return {key: Path(shutil.copy(source, folder / key)) for key, source in sources.items()}


def wrong_authority(site: Site, files: dict[str, Path]) -> None:
    shutil.copy(site.stranger.certificate, files["ca_file"])


def no_client_certificate(_: Site, files: dict[str, Path]) -> None:
    del files["certificate_file"], files["key_file"]


def nothing(_: Site, files: dict[str, Path]) -> None:
    assert files


FAULTS: dict[str, tuple[Callable[[Site, dict[str, Path]], None], str, str, str]] = {
    "authority": (wrong_authority, "broker", "127.0.0.1", "[mqtt] ca_file"),
    "host": (nothing, "broker", "localhost", "Hostname mismatch"),
    "expired": (nothing, "old-broker", "127.0.0.1", "certificate has expired; renew it"),
    "no certificate": (no_client_certificate, "broker", "127.0.0.1", "asks for a client cert"),
}


def damaged() -> list[bytes]:
    """A frame that costs nothing to refuse, and is told as not inspected."""
    return [bytes(part) for part in message(steel(), payload=b"too short").parts]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broker_that_cannot_be_had_is_explained_in_check_log_and_readyz_and_alerts_are_kept(
    tmp_path: Path, site: Site, mosquitto_with: Callable[..., Mosquitto], fault: str
) -> None:
    spoil, server, host, reason = FAULTS[fault]
    broker = site.start(mosquitto_with, server)
    files = settings(site, tmp_path)
    spoil(site, files)
    lines = [f'{key} = "{file}"' for key, file in files.items()]
    url = f"mqtts://line@{host}:{broker.port}"
    with DaemonProcess(tmp_path, *lines, mqtt_url=url) as daemon, daemon.camera() as camera:
        wait_until(lambda: reason in str(json.loads(daemon.get("/readyz")[1]).get("notes")))
        assert daemon.get("/readyz")[0] == 200  # the plant's network is no reason to stop
        assert reason in daemon.log.read_text()
        (found,) = [each for each in check(daemon.config) if each.subject == "broker"]
        assert not found.ok
        assert reason in found.detail
        camera.send_multipart(damaged())
        wait_until(lambda: daemon.scrape().total("outbox_depth") > 0)
        assert daemon.scrape().total("mqtt_connected") == 0


def test_a_file_that_is_mended_counts_without_a_restart_and_what_was_kept_is_delivered(
    tmp_path: Path, site: Site, mosquitto_with: Callable[..., Mosquitto]
) -> None:
    broker = site.start(mosquitto_with)
    files = settings(site, tmp_path)
    wrong_authority(site, files)
    lines = [f'{key} = "{file}"' for key, file in files.items()]
    url = f"mqtts://line@127.0.0.1:{broker.port}"
    with DaemonProcess(tmp_path, *lines, mqtt_url=url) as daemon, daemon.camera() as camera:
        camera.send_multipart(damaged())
        wait_until(lambda: daemon.scrape().total("outbox_depth") > 0)
        shutil.copy(site.plant.certificate, files["ca_file"])
        wait_until(lambda: daemon.scrape().total("outbox_depth") == 0)
        assert daemon.scrape().total("mqtt_connected") == 1
        assert daemon.stop() == 0
