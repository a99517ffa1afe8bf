"""Makes the shipped documents from the message models, so that they can't say anything else."""

import json
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from edge_daemon.core.envelope import schema_name
from edge_daemon.core.messages import BODIES, Body

ASYNCAPI: Final = "asyncapi.json"
CONTRACT_VERSION: Final = "1.0.0"

_ENVELOPE: Final[dict[str, Any]] = {
    "id": {
        "description": "UUIDv7; a message that comes twice has the same.",
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    },
    "seq": {
        "description": "Place in the station's sequence, which has no gaps; in status and health"
        " the place of the last message that counts.",
        "type": "integer",
        "minimum": 0,
    },
    "ts": {
        "description": "When it was stored, UTC.",
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
    },
}


class _OnTheWire(GenerateJsonSchema):
    """What is unknown is left out on the wire: no null, and no default to assume."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def schema_file(kind: str) -> str:
    """Return the name of the file that holds the schema of a kind of message."""
    return f"{kind}.v1.json"


def message_schema(body: type[Body]) -> dict[str, Any]:
    """Return the JSON Schema of a whole message: envelope and body."""
    schema = body.model_json_schema(schema_generator=_OnTheWire)
    envelope = {**_ENVELOPE, "schema": {"type": "string", "const": schema_name(body.kind)}}
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    schema["title"] = schema_name(body.kind)
    schema["properties"] = {**envelope, **schema["properties"]}
    schema["required"] = [*envelope, *schema["required"]]
    return schema


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document: each topic with its message, QoS and retain flag."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "edge-daemon",
            "version": CONTRACT_VERSION,
            "description": "What a line-side inspection station tells the plant: MQTT 5.0, flat"
            " JSON, times in UTC. docs/mqtt.md has the promises.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {body.kind: _channel(body) for body in BODIES},
        "operations": {f"send_{body.kind}": _operation(body) for body in BODIES},
        "components": {"messages": {body.kind: _message(body) for body in BODIES}},
    }


def documents() -> dict[str, str]:
    """Return every shipped document as text, by file name."""
    made = {schema_file(body.kind): message_schema(body) for body in BODIES}
    made[ASYNCAPI] = asyncapi()
    return {name: json.dumps(document, indent=2) + "\n" for name, document in made.items()}


def _channel(body: type[Body]) -> dict[str, Any]:
    parameters = {"root": {"description": "Configured, such as edge/line-1; may have levels."}}
    if "{name}" in body.topic_pattern:
        parameters["name"] = {"description": "Name of the alarm: a-z, 0-9 and -."}
    return {
        "address": f"{{root}}/{body.topic_pattern}",
        "parameters": parameters,
        "messages": {body.kind: {"$ref": f"#/components/messages/{body.kind}"}},
    }


def _operation(body: type[Body]) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{body.kind}"},
        "bindings": {"mqtt": {"qos": body.qos, "retain": body.retain, "bindingVersion": "0.2.0"}},
    }


def _message(body: type[Body]) -> dict[str, Any]:
    return {
        "name": schema_name(body.kind),
        "summary": " ".join((body.__doc__ or "").split("\n\n")[0].split()),
        "contentType": "application/json",
        "payload": {"$ref": f"./{schema_file(body.kind)}"},
    }
