"""The published JSON Schemas of a record and of its envelope, as the models have them.

The files in ``runner/schemas`` are what ``published`` answers; a test compares them.
"""

import json
from typing import Any

from runner.model.artifact import Artifact
from runner.policy.attestation import PAYLOAD_TYPE

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TIMES = ("created_at", "started_at", "finished_at")
_TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
_BASE64_PATTERN = r"^[A-Za-z0-9+/]*={0,2}$"


def published(schema: dict[str, Any]) -> bytes:
    """The bytes of the file that publishes ``schema``."""
    return json.dumps(schema, indent=2, ensure_ascii=False).encode() + b"\n"


def artifact_schema() -> dict[str, Any]:
    """The JSON Schema of ``artifact.json``: every key is there, and no other."""
    schema = Artifact.model_json_schema(mode="serialization")
    properties = schema["properties"]
    for name in _TIMES:
        for form in properties[name].get("anyOf", [properties[name]]):
            if form["type"] == "string":
                form |= {"format": "date-time", "pattern": _TIME_PATTERN}
    for described in (schema, *schema["$defs"].values()):
        if "properties" in described:
            described["required"] = list(described["properties"])
    return {
        "$schema": _DRAFT,
        "$id": "urn:ai-ops-runner:schema:artifact:v1",
        **schema,
        "title": "The record of a job: artifact.json",
    }


def envelope_schema() -> dict[str, Any]:
    """The JSON Schema of ``artifact.dsse.json``: a DSSE envelope around an in-toto Statement."""
    text = {"type": "string", "pattern": _BASE64_PATTERN}
    signature = {
        "type": "object",
        "properties": {
            "keyid": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "sha256 of the public key's DER SubjectPublicKeyInfo",
            },
            "sig": {**text, "description": "Ed25519 over the pre-authentication encoding"},
        },
        "required": ["keyid", "sig"],
        "additionalProperties": False,
    }
    return {
        "$schema": _DRAFT,
        "$id": "urn:ai-ops-runner:schema:artifact-dsse:v1",
        "title": "The signature of a record: artifact.dsse.json",
        "type": "object",
        "properties": {
            "payload": {**text, "description": "base64 of an in-toto Statement, version 1"},
            "payloadType": {"const": PAYLOAD_TYPE},
            "signatures": {"type": "array", "items": signature, "minItems": 1, "maxItems": 16},
        },
        "required": ["payload", "payloadType", "signatures"],
        "additionalProperties": False,
    }
