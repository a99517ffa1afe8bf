import json

import pytest
from jsonschema import Draft7Validator

from edge_daemon.core.messages import BODIES, Body
from edge_daemon.schemas import load
from edge_daemon.schemas.documents import documents, schema_file


def test_the_shipped_documents_are_those_that_the_models_give() -> None:
    for name, text in documents().items():
        assert load(name) == json.loads(text), "run: python -m edge_daemon.schemas"


@pytest.mark.parametrize("body", BODIES)
def test_every_schema_is_one_and_requires_the_envelope(body: type[Body]) -> None:
    schema = load(schema_file(body.kind))
    Draft7Validator.check_schema(schema)
    assert {"id", "seq", "ts", "schema"} <= set(schema["required"])
    assert schema["properties"]["schema"]["const"] == f"edge-daemon/{body.kind}/v1"


@pytest.mark.parametrize("body", BODIES)
def test_no_schema_lets_a_null_or_an_unknown_field_through(body: type[Body]) -> None:
    schema = load(schema_file(body.kind))
    assert '"null"' not in json.dumps(schema)
    assert schema["additionalProperties"] is False


def test_the_asyncapi_document_names_every_topic_and_schema() -> None:
    document = load("asyncapi.json")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {
        "{root}/status",
        "{root}/event/defect",
        "{root}/event/coverage",
        "{root}/event/coil",
        "{root}/event/loss",
        "{root}/alarm/{name}",
        "{root}/health",
    }
    payloads = {m["payload"]["$ref"] for m in document["components"]["messages"].values()}
    assert payloads == {f"./{name}" for name in documents() if name != "asyncapi.json"}


def test_every_operation_points_to_a_channel_that_is_there() -> None:
    document = load("asyncapi.json")
    channels = {f"#/channels/{name}" for name in document["channels"]}
    assert {o["channel"]["$ref"] for o in document["operations"].values()} == channels
    retained = {
        name for name, o in document["operations"].items() if o["bindings"]["mqtt"]["retain"]
    }
    assert retained == {"send_status", "send_alarm"}
