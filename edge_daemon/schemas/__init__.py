"""The messages' JSON Schemas and the AsyncAPI document, shipped for those who subscribe."""

import json
from importlib.resources import files
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Return a shipped document, such as `defect.v1.json` or `asyncapi.json`."""
    document: dict[str, Any] = json.loads(files(__name__).joinpath(name).read_text("utf-8"))
    return document
