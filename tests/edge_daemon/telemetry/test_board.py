"""The board is read from a tree in the shape of a Jetson AGX Orin's sysfs with JetPack 6.

So NVIDIA's handbook and the kernel's documentation have it, odd ends included: a channel that isn't
connected, a sum of channels (in7) that no current belongs to, and a unit that is switched off
(`cv0`) and so has no temperature.
"""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from edge_daemon.telemetry.board import MAX_DEVICES, BoardCollector
from edge_daemon.telemetry.metrics import Registry

ORIN = {
    "class/hwmon/hwmon0/name": "tmp451",
    "class/hwmon/hwmon0/temp1_input": "41250",
    "class/hwmon/hwmon2/name": "pwmfan",
    "class/hwmon/hwmon2/pwm1": "62",
    "class/hwmon/hwmon3/name": "ina3221",
    "class/hwmon/hwmon3/in1_label": "VDD_GPU_SOC",
    "class/hwmon/hwmon3/in1_input": "19144",
    "class/hwmon/hwmon3/curr1_input": "152",
    "class/hwmon/hwmon3/in2_label": "VDD_CPU_CV",
    "class/hwmon/hwmon3/in2_input": "19144",
    "class/hwmon/hwmon3/curr2_input": "40",
    "class/hwmon/hwmon3/in3_label": "VIN_SYS_5V0",
    "class/hwmon/hwmon3/in3_input": "4960",
    "class/hwmon/hwmon3/curr3_input": "640",
    "class/hwmon/hwmon3/in4_input": "1",
    "class/hwmon/hwmon3/in7_label": "sum of shunt voltages",
    "class/hwmon/hwmon3/in7_input": "3",
    "class/hwmon/hwmon4/name": "ina3221",
    "class/hwmon/hwmon4/in1_label": "NC",
    "class/hwmon/hwmon4/in1_input": "4960",
    "class/hwmon/hwmon4/curr1_input": "0",
    "class/hwmon/hwmon4/in2_label": "VDDQ_VDD2_1V8AO",
    "class/hwmon/hwmon4/in2_input": "4960",
    "class/hwmon/hwmon4/curr2_input": "100",
    "class/hwmon/hwmon5/name": "soctherm_oc",
    "class/hwmon/hwmon5/oc1_event_cnt": "0",
    "class/hwmon/hwmon5/oc3_event_cnt": "17",
    "class/hwmon/hwmon5/oc3_throt_en": "1",
    "class/devfreq/17000000.gpu/cur_freq": "1300500000",
    "class/devfreq/15340000.vic/cur_freq": "729600000",
    "devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "2201600",
    "devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "729600",
    "kernel/debug/bpmp/debug/clk/emc/rate": "3199000000",
    "class/thermal/thermal_zone0/type": "cpu-thermal",
    "class/thermal/thermal_zone0/temp": "48718",
    "class/thermal/thermal_zone1/type": "gpu-thermal",
    "class/thermal/thermal_zone1/temp": "-1500",
    "class/thermal/thermal_zone2/type": "cv0-thermal",
    "class/thermal/cooling_device0/type": "pwm-fan",
}

GPU_POWER = "class/hwmon/hwmon3/curr1_input"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Build the tree, with a device's folders reached by links as in sysfs."""
    devices, sysfs = tmp_path / "devices", tmp_path / "sys"
    for name, content in ORIN.items():
        path = sysfs / name
        if name.startswith("class/"):
            kind, device = path.parent.parent, devices / path.parent.name
            device.mkdir(parents=True, exist_ok=True)
            kind.mkdir(parents=True, exist_ok=True)
            if not path.parent.exists():
                path.parent.symlink_to(device)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return sysfs


def read(root: Path) -> dict[str, float]:
    """Every sample, by name and label as they are scraped."""
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
        for family in BoardCollector(root).collect()
        for sample in family.samples
    }


def test_rails_clocks_zones_and_events_of_an_orin_are_told_in_base_units(root: Path) -> None:
    expected = {
        "edge_daemon_board_power_watts{VDD_GPU_SOC}": 19.144 * 0.152,
        "edge_daemon_board_power_watts{VDD_CPU_CV}": 19.144 * 0.04,
        "edge_daemon_board_power_watts{VIN_SYS_5V0}": 4.96 * 0.64,
        "edge_daemon_board_power_watts{VDDQ_VDD2_1V8AO}": 0.496,
        "edge_daemon_board_clock_hertz{cpu0}": 2.2016e9,
        "edge_daemon_board_clock_hertz{cpu4}": 7.296e8,
        "edge_daemon_board_clock_hertz{15340000.vic}": 7.296e8,
        "edge_daemon_board_clock_hertz{17000000.gpu}": 1.3005e9,
        "edge_daemon_board_clock_hertz{emc}": 3.199e9,
        "edge_daemon_board_temperature_celsius{cpu-thermal}": 48.718,
        "edge_daemon_board_temperature_celsius{gpu-thermal}": -1.5,
        "edge_daemon_board_throttle_events_total{oc1}": 0,
        "edge_daemon_board_throttle_events_total{oc3}": 17,
    }
    assert read(root) == pytest.approx(expected)


def test_a_board_without_any_of_it_has_no_series(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"\n", b"12 mA", b"nan", b"inf", b"0x10", b"1e3", b"9" * 500, b"\xff\x00\xfe", b"--5"],
)
def test_rubbish_costs_that_one_value(root: Path, rubbish: bytes) -> None:
    before = read(root)
    (root / GPU_POWER).write_bytes(rubbish)
    after = read(root)
    assert before.keys() - after.keys() == {"edge_daemon_board_power_watts{VDD_GPU_SOC}"}
    assert all(after[name] == before[name] for name in after)


def test_a_file_that_vanishes_or_becomes_a_folder_costs_that_one_value(root: Path) -> None:
    before = read(root)
    (root / GPU_POWER).unlink()
    (root / "class/thermal/thermal_zone0/temp").unlink()
    (root / "class/thermal/thermal_zone0/temp").mkdir()
    assert before.keys() - read(root).keys() == {
        "edge_daemon_board_power_watts{VDD_GPU_SOC}",
        "edge_daemon_board_temperature_celsius{cpu-thermal}",
    }


def test_a_label_that_is_no_text_is_no_rail(root: Path) -> None:
    (root / "class/hwmon/hwmon3/in1_label").write_bytes(b"\x80\x81")
    assert "edge_daemon_board_power_watts{VDD_GPU_SOC}" not in read(root)
    assert len(read(root)) == 12


def test_zones_of_the_same_type_are_told_apart(root: Path) -> None:
    (root / "class/thermal/thermal_zone1/type").write_text("cpu-thermal\n")
    found = read(root)
    assert found["edge_daemon_board_temperature_celsius{cpu-thermal}"] == pytest.approx(48.718)
    assert found["edge_daemon_board_temperature_celsius{cpu-thermal#2}"] == pytest.approx(-1.5)


def test_a_monitor_that_measures_power_itself_is_believed(root: Path) -> None:
    monitor = root / "class/hwmon/hwmon9"
    monitor.mkdir()
    (monitor / "name").write_text("ina238\n")
    (monitor / "power1_input").write_text("21500000\n")
    assert read(root)["edge_daemon_board_power_watts{ina238:power1}"] == pytest.approx(21.5)


def test_voltage_and_current_of_other_monitors_are_not_multiplied(root: Path) -> None:
    (root / "class/hwmon/hwmon3/name").write_text("nct6798\n")
    rails = {name for name in read(root) if "power_watts" in name}
    assert rails == {"edge_daemon_board_power_watts{VDDQ_VDD2_1V8AO}"}


def test_the_number_of_series_is_bounded(tmp_path: Path) -> None:
    for number in range(3 * MAX_DEVICES):
        zone = tmp_path / f"class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text("20000")
    assert len(read(tmp_path)) == MAX_DEVICES


def test_it_is_scraped_from_the_daemons_registry_and_reads_anew_each_time(root: Path) -> None:
    registry = Registry()
    registry.register(BoardCollector(root))
    assert b'edge_daemon_board_power_watts{rail="VDD_GPU_SOC"} 2.909' in generate_latest(registry)
    assert b'edge_daemon_board_throttle_events_total{cause="oc3"} 17.0' in generate_latest(registry)
    (root / "class/hwmon/hwmon5/oc3_event_cnt").write_text("18\n")
    assert b'events_total{cause="oc3"} 18.0' in generate_latest(registry)


def test_registering_it_reads_nothing(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(BoardCollector(tmp_path / "nowhere"))
    names = {family.name for family in BoardCollector(tmp_path / "nowhere").describe()}
    assert names == {
        "edge_daemon_board_power_watts",
        "edge_daemon_board_clock_hertz",
        "edge_daemon_board_temperature_celsius",
        "edge_daemon_board_throttle_events",
    }
