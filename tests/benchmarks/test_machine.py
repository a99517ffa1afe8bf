from importlib.metadata import version

from benchmarks.machine import available_cores, describe_machine


def test_a_package_that_is_missing_is_told_instead_of_left_out() -> None:
    machine = describe_machine(["numpy", "no-such-package-anywhere"])

    assert machine.versions["numpy"] == version("numpy")
    assert machine.versions["no-such-package-anywhere"] == "not installed"


def test_processor_and_cores_are_named_in_what_people_read() -> None:
    machine = describe_machine(["numpy"])

    assert machine.cpu
    assert machine.cores == available_cores() >= 1
    assert machine.cpu in str(machine)
    assert f"numpy {version('numpy')}" in str(machine)
