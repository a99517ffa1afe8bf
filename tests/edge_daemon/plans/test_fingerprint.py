"""Everything that makes a plan stale is in its name."""

from typing import Any

import pytest

from edge_daemon.plans.fingerprint import (
    ANY_STRIPS,
    Builder,
    Flavour,
    GpuIdentity,
    PlanKey,
    Precision,
)

CHANGES = {
    "recipe": 2,
    "bundle": "c" * 64,
    "precision": Precision.INT8,
    "strip_px": (128, 1600),
    "batches": (ANY_STRIPS,),
    "builder": Builder.TORCH,
    "builder_version": "2.11.0",
    "flavour": Flavour.TENSORRT,
    "flavour_version": "1.7.1.117",
    "machine": "aarch64",
    "gpu": "NVIDIA RTX 5000 Ada",
    "compute_capability": "12.0",
    "driver": "590.10 (CUDA 13.1)",
}


def test_every_field_of_a_key_is_put_to_the_test_here() -> None:
    assert CHANGES.keys() == PlanKey.model_fields.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_a_plan_gets_another_name_with_another(field: str, key: PlanKey) -> None:
    update: dict[str, Any] = {field: CHANGES[field]}
    other = key.model_copy(update=update)
    assert other.fingerprint != key.fingerprint
    assert list(key.differences(other)) == [field]


def test_a_key_keeps_its_name_on_the_way_through_a_file(key: PlanKey) -> None:
    again = PlanKey.model_validate_json(key.model_dump_json())
    assert again == key
    assert again.fingerprint == key.fingerprint


def test_a_gpu_that_nobody_described_is_not_there() -> None:
    assert not GpuIdentity().is_there
    assert GpuIdentity("NVIDIA L4", "8.9", "580").is_there
