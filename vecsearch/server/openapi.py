"""The description of the API, as OpenAPI 3.1 has it, made of the endpoints themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec

from vecsearch.server.endpoint import JSON, PICTURE, PREFIX, Endpoint
from vecsearch.server.messages import Problem
from vecsearch.server.problems import MEDIA_TYPE

_ALWAYS: Final = (400, 401, 403, 404, 408, 413, 414, 415, 421, 431, 500, 503)
"""The statuses that problems of every endpoint may have."""

_REFERENCE: Final = "#/components/schemas/{name}"


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the description, which JSON can hold."""
    kinds = [Problem, *_kinds(endpoints)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    named = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(f"{PREFIX}{one.path}", {})[one.method.lower()] = _operation(
            one, named, components
        )
    used = set(re.findall(r"#/components/schemas/(\w+)", str((paths, components))))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vecsearch",
            "version": version("vecsearch"),
            "description": "Find similar images. Bodies are sent as they are; what goes wrong is "
            "told as problem+json, by a `code` that stays the same.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "../.."}],
        "paths": paths,
        "components": {
            "schemas": {name: components[name] for name in components if name in used},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "vecsearch_token"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def _kinds(endpoints: Iterable[Endpoint]) -> list[type]:
    found = []
    for one in endpoints:
        for kind in (one.parameters, one.body, one.answer, one.meanwhile):
            if isinstance(kind, type) and kind not in found:
                found.append(kind)
    return found


def _operation(
    one: Endpoint, schemas: dict[type, Any], components: dict[str, Any]
) -> dict[str, Any]:
    parameters = [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", one.path)]
    if one.parameters is not None:
        parameters += _query_parameters(components[one.parameters.__name__], one.parameters)
    if isinstance(one.answer, str):
        is_json = one.answer == JSON  # the data of a page, which are its own matter
        kind = {"type": "object"} if is_json else _bytes_of(one.answer)
        content = {one.answer: {"schema": kind}}
    else:
        content = {JSON: {"schema": schemas[one.answer]}}
    problem = {MEDIA_TYPE: {"schema": schemas[Problem]}}
    statuses = sorted({*_ALWAYS, *one.errors})
    operation: dict[str, Any] = {
        "operationId": one.kind,
        "summary": one.summary,
        "parameters": parameters,
        "responses": {
            str(one.status): {"description": "The answer.", "content": content},
            **({"304": {"description": "Nothing has changed."}} if one.method == "GET" else {}),
            **{
                str(status): {"description": HTTPStatus(status).phrase, "content": problem}
                for status in statuses
            },
        },
    }
    if one.meanwhile is not None:
        later = {JSON: {"schema": schemas[one.meanwhile]}}
        description = "The answer is being made: ask again."
        operation["responses"]["202"] = {"description": description, "content": later}
    if one.answer == "image/*":
        operation["responses"]["206"] = {"description": "A part.", "content": content}
    if one.body == PICTURE:
        binary = _bytes_of("application/octet-stream")
        media = {kind: {"schema": binary} for kind in ("application/octet-stream", "image/*")}
        operation["requestBody"] = {"required": True, "content": media}
    elif isinstance(one.body, type):
        media = {JSON: {"schema": schemas[one.body]}}
        operation["requestBody"] = {"required": True, "content": media}
    return operation


def _bytes_of(media_type: str) -> dict[str, str]:
    return {"type": "string", "contentMediaType": media_type}


def _path_parameter(name: str) -> dict[str, Any]:
    kind = {"type": "integer", "minimum": 0} if name == "id" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": kind}


def _query_parameters(schema: dict[str, Any], kind: type) -> list[dict[str, Any]]:
    told = dict(re.findall(r"`(\w+)`: ([^`]*?)[.;](?=\s+`|\s*$)", " ".join(_doc(kind).split())))
    required = schema.get("required", ())
    found = []
    for name, own in schema["properties"].items():
        # A list of numbers is written with commas between them, other lists by repeating the name.
        joined = name == "box"
        own = _without_null(own)
        parameter = {"name": name, "in": "query", "required": name in required, "schema": own}
        if joined:
            parameter |= {"style": "form", "explode": False}
        if name in told:
            parameter["description"] = told[name]
        found.append(parameter)
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without null, which cannot stand in an address: the name is left out."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) == 1:
        kept = {key: value for key, value in schema.items() if key != "anyOf"}
        schema = kinds[0] | kept
    elif isinstance(schema.get("type"), list):
        schema = schema | {"type": next(one for one in schema["type"] if one != "null")}
    if schema.get("default", 0) is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    if "enum" in schema:
        schema = schema | {"enum": [one for one in schema["enum"] if one is not None]}
    return schema


def _doc(kind: type) -> str:
    return " ".join(inspect.getdoc(one) or "" for one in kind.__mro__ if one is not object)
