"""What happens to a frame when as many as may wait do so."""

from enum import StrEnum


class DropPolicy(StrEnum):
    """By name, as `[ingest] drop_policy` has it."""

    BLOCK = "block"
    """It stays with the camera, which feels it and drops by itself; every frame taken is looked at,
    however late."""
    DROP_OLDEST = "drop-oldest"
    """It replaces the one that has waited longest: what is looked at is as fresh as can be."""
    DROP_NEWEST = "drop-newest"
    """It is left out: stretches that are looked at are as long as can be."""
    DEADLINE = "deadline"
    """As block, but a frame that has waited longer than `max_age_s` is left out."""
