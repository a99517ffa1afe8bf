"""All cases, by kind."""

from tests.bad_input.cases import Case
from tests.bad_input.codec_cases import codec_cases
from tests.bad_input.field_cases import checksum_cases, field_cases, odd_cases, size_cases
from tests.bad_input.message_cases import id_cases, json_cases, part_cases, version_cases
from tests.bad_input.sequence_cases import clock_cases, line_cases, sequence_cases, stream_cases

KINDS = {
    "parts": part_cases,
    "ids": id_cases,
    "json": json_cases,
    "version": version_cases,
    "fields": field_cases,
    "sizes": size_cases,
    "checksums": checksum_cases,
    "odd": odd_cases,
    "codecs": codec_cases,
    "sequence": sequence_cases,
    "lines": line_cases,
    "clock": clock_cases,
    "streams": stream_cases,
}


def corpus() -> dict[str, tuple[Case, ...]]:
    """Every case of every kind."""
    return {kind: tuple(cases()) for kind, cases in KINDS.items()}
