"""What the board itself tells: power, clocks, temperatures and throttling, read from sysfs.

Read when Prometheus asks, and at no other time. What a board doesn't have gives no series: a file
that isn't there, can't be read or holds anything but a number costs that one value. Everything is
bounded: so many devices of a kind, so many bytes of a file.

    edge_daemon_board_power_watts{rail}             of a Jetson's INA3221 monitors each channel by
                                                    its label (`VDD_GPU_SOC`), voltage times
                                                    current; of other monitors what they measure
                                                    themselves (`ina238:power1`)
    edge_daemon_board_clock_hertz{unit}             cpufreq policies by their first core (`cpu0`);
                                                    devfreq devices by name (`17000000.gpu`);
                                                    `emc`, the memory's, where debugfs may be read
    edge_daemon_board_temperature_celsius{zone}     thermal zones by type (`cpu-thermal`)
    edge_daemon_board_throttle_events_total{cause}  Jetson's over-current events since it started
                                                    (`oc1`: which is which, its handbook tells)

Sources: Linux kernel, Documentation/hwmon/sysfs-interface.rst, admin-guide/pm/cpufreq.rst,
ABI/testing/sysfs-class-devfreq and sysfs-class-thermal; NVIDIA Jetson Linux Developer Guide,
section Platform Power and Performance.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SYSFS = Path("/sys")
MAX_DEVICES = 64
"""Of a kind; the largest boards have a quarter of that."""
MAX_FILES = 256
MAX_BYTES = 64
MILLI, MICRO, KILO = 1e-3, 1e-6, 1e3
EMC_RATE = "kernel/debug/bpmp/debug/clk/emc/rate"
UNCONNECTED = frozenset({"", "NC"})
"""Labels of channels that nothing is soldered to."""
DIGITS = re.compile(r"-?\d{1,18}")

Readings = Iterator[tuple[str, float]]
"""Label and value, in base units."""


class BoardCollector(Collector):
    """Reads the board each time it is collected; registered once, with a registry.

    Args:
        root: where sysfs is mounted.
    """

    def __init__(self, root: Path = SYSFS) -> None:
        self._root = root

    def describe(self) -> Iterable[Metric]:
        """Name the metrics without reading anything: what the registry asks for at first."""
        return _families({}, {}, {}, {})

    def collect(self) -> Iterable[Metric]:
        """Read everything."""
        return _families(
            _distinct(_power(self._root)),
            _distinct(_clocks(self._root)),
            _distinct(_temperatures(self._root)),
            _distinct(_throttling(self._root)),
        )


def _families(
    watts: Mapping[str, float],
    hertz: Mapping[str, float],
    celsius: Mapping[str, float],
    throttled: Mapping[str, float],
) -> Iterable[Metric]:
    prefix = "edge_daemon_board"
    power = GaugeMetricFamily(f"{prefix}_power_watts", "Power by rail.", labels=["rail"])
    clock = GaugeMetricFamily(f"{prefix}_clock_hertz", "Clock by unit.", labels=["unit"])
    zones = GaugeMetricFamily(
        f"{prefix}_temperature_celsius", "Temperature by thermal zone.", labels=["zone"]
    )
    events = CounterMetricFamily(
        f"{prefix}_throttle_events", "Times that too high a current slowed it.", labels=["cause"]
    )
    for family, readings in ((power, watts), (clock, hertz), (zones, celsius), (events, throttled)):
        for label, value in readings.items():
            family.add_metric([label], value)
    return [power, clock, zones, events]


def _power(root: Path) -> Readings:
    for monitor in _entries(root / "class/hwmon"):
        name = _text(monitor / "name")
        if name == "ina3221":
            yield from _channels(monitor)
        for measured, number in _numbered(monitor, "power", "_input"):
            microwatts = _number(measured)
            if microwatts is not None:
                yield f"{name or monitor.name}:power{number}", microwatts * MICRO


def _channels(monitor: Path) -> Readings:
    """Power of each channel of an INA3221; its sum of all channels has no current, and is none."""
    for label, number in _numbered(monitor, "in", "_label"):
        rail = _text(label)
        millivolts = _number(monitor / f"in{number}_input")
        milliamperes = _number(monitor / f"curr{number}_input")
        if rail in UNCONNECTED or millivolts is None or milliamperes is None:
            continue
        yield rail, millivolts * MILLI * milliamperes * MILLI


def _clocks(root: Path) -> Readings:
    for policy in _entries(root / "devices/system/cpu/cpufreq"):
        kilohertz = _number(policy / "scaling_cur_freq")
        if kilohertz is not None:
            yield policy.name.replace("policy", "cpu"), kilohertz * KILO
    for device in _entries(root / "class/devfreq"):
        hertz = _number(device / "cur_freq")
        if hertz is not None:
            yield device.name, hertz
    memory = _number(root / EMC_RATE)
    if memory is not None:
        yield "emc", memory


def _temperatures(root: Path) -> Readings:
    for zone in _entries(root / "class/thermal"):
        millidegrees = _number(zone / "temp")  # a unit that is switched off refuses to be read
        if millidegrees is not None:
            yield _text(zone / "type") or zone.name, millidegrees * MILLI


def _throttling(root: Path) -> Readings:
    for monitor in _entries(root / "class/hwmon"):
        for counter, number in _numbered(monitor, "oc", "_event_cnt"):
            events = _number(counter)
            if events is not None:
                yield f"oc{number}", events


def _distinct(readings: Readings) -> dict[str, float]:
    """Readings by label; of several with the same one, the second is `label#2` and so on."""
    found: dict[str, float] = {}
    for label, value in readings:
        names = (label if n == 1 else f"{label}#{n}" for n in count(1))
        found[next(name for name in names if name not in found)] = value
    return found


def _numbered(monitor: Path, before: str, after: str) -> list[tuple[Path, str]]:
    """A monitor's files `before` number `after`, and their numbers."""
    name = re.compile(rf"{before}(\d+){after}")
    matches = ((path, name.fullmatch(path.name)) for path in _entries(monitor, limit=MAX_FILES))
    return [(path, match[1]) for path, match in matches if match]


def _entries(folder: Path, *, limit: int = MAX_DEVICES) -> list[Path]:
    """What lies in a folder, by name; nothing where there is no such folder."""
    try:
        return sorted(islice(folder.iterdir(), limit))
    except OSError:
        return []


def _number(path: Path) -> float | None:
    text = _text(path)
    return int(text) if DIGITS.fullmatch(text) else None


def _text(path: Path) -> str:
    """The first line of a file, or its beginning; empty where it can't be read or is no text."""
    try:
        with path.open("rb") as file:
            line = file.read(MAX_BYTES).partition(b"\n")[0].decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return line if line.isprintable() else ""
