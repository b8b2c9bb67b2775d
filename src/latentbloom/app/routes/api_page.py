"""The OpenAPI description, sorted for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def operations(api: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations by group, each with its fields, answers and a command that calls it."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in api["paths"].items():
        for method, one in methods.items():
            group = (one.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "words": one.get("description") or one.get("summary", ""),
                    "parameters": [_parameter(p) for p in one.get("parameters", ())],
                    "fields": _fields(api, one),
                    "kind": _kind(one),
                    "answers": _answers(one),
                    "curl": _curl(method, path, _kind(one)),
                }
            )
    return groups


def _parameter(one: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": one["name"],
        "type": _type(one.get("schema", {})),
        "words": one.get("description", "the name of a run" if one["name"] == "run" else ""),
    }


def _kind(one: Mapping[str, Any]) -> str:
    return next(iter(one.get("requestBody", {}).get("content", {})), "")


def _fields(api: Mapping[str, Any], one: Mapping[str, Any]) -> list[dict[str, str]]:
    content = one.get("requestBody", {}).get("content", {})
    schema = next(iter(content.values()), {}).get("schema", {})
    schema = _resolved(api, schema)
    needed = schema.get("required", ())
    return [
        {
            "name": name,
            "type": _type(field),
            "default": "" if "default" not in field else json.dumps(field["default"]),
            "needed": "yes" if name in needed else "",
            "words": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _resolved(api: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return api["components"]["schemas"][reference.rpartition("/")[2]]


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: "integer, 1 to 64", "draft, balanced or best"."""
    if "anyOf" in schema:
        return " or ".join(t for one in schema["anyOf"] if (t := _type(one)) != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("contentMediaType") or schema.get("format") == "binary":
        return "file"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and abs(high) < 1e10:
        return f"{kind}, {low:g} to {high:g}"
    return kind


def _answers(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (code, f"{answer.get('description', '')} {', '.join(answer.get('content', {}))}".strip())
        for code, answer in one.get("responses", {}).items()
        if code.startswith("2")
    ]


def _curl(method: str, path: str, kind: str) -> str:
    words = ["curl"] if method == "get" else ["curl", "-X", method.upper()]
    if kind == "application/json":
        words += ["-H", "'Content-Type: application/json'", "-d", "'{}'"]
    if kind == "multipart/form-data":
        words += ["-F", "picture=@picture.jpg"]
    if path.endswith("/stream"):
        words.insert(1, "-N")
    return " ".join(words) + f" BASE{path}"
