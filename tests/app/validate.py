#!/usr/bin/env python3
"""usage: validate.py SCHEMA FILE...

Holds each file against the JSON Schema and prints `valid FILE` or `invalid FILE: why`. It knows what the schema of
`carrel schema` uses of draft 2020-12, and refuses a schema with anything else."""
import json
import re
import sys

KINDS = {"object": dict, "array": list, "string": str}


def is_kind(value, kind):
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    return isinstance(value, KINDS[kind])


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def some(rule, value, root):
    return sum(not errors(one, value, root) for one in rule)


def inside(schema, value, root):
    """What is wrong with the parts of an object or an array."""
    if isinstance(value, list):
        for item in value if "items" in schema else []:
            yield from errors(schema["items"], item, root)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key, part in value.items():
            if key in known:
                yield from (f"{key}: {why}" for why in errors(known[key], part, root))
            elif schema.get("additionalProperties") is False:
                yield f"unknown key {key}"


CHECKS = {
    "$ref": lambda rule, value, root: not errors(root["$defs"][rule.removeprefix("#/$defs/")], value, root),
    "type": lambda rule, value, _: any(is_kind(value, kind) for kind in (rule if isinstance(rule, list) else [rule])),
    "enum": lambda rule, value, _: value in rule,
    "const": lambda rule, value, _: value == rule and isinstance(value, bool) == isinstance(rule, bool),
    "pattern": lambda rule, value, _: not isinstance(value, str) or re.search(rule, value) is not None,
    "minimum": lambda rule, value, _: not number(value) or value >= rule,
    "minLength": lambda rule, value, _: not isinstance(value, str) or len(value) >= rule,
    "maxItems": lambda rule, value, _: not isinstance(value, list) or len(value) <= rule,
    "required": lambda rule, value, _: not isinstance(value, dict) or all(key in value for key in rule),
    "anyOf": lambda rule, value, root: some(rule, value, root) >= 1,
    "oneOf": lambda rule, value, root: some(rule, value, root) == 1,
}
SILENT = {"$schema", "$defs", "title", "description", "x-live", "properties", "additionalProperties", "items"}


def errors(schema, value, root):
    found = []
    for keyword, rule in schema.items():
        if keyword in SILENT:
            continue
        if not CHECKS[keyword](rule, value, root):
            found.append(f"{json.dumps(value)[:60]} breaks {keyword}")
    return found + list(inside(schema, value, root))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            wrong = errors(schema, json.load(file), schema)
        print(f"invalid {path}: {wrong[0]}" if wrong else f"valid {path}")


main()
