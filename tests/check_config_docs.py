#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the code, config/schema.json and config/README.md in step.

usage: check_config_docs.py PROGRAM

PROGRAM prints the keys as the code has them (tests/print_config_keys.c): path, type, what is
allowed and default, separated by tabs. The schema and the tables of the README must say the
same, and the example files must be valid by the schema. Ends with 1 and one line per
difference.
"""

import ipaddress
import json
import pathlib
import re
import subprocess
import sys

CONFIG = pathlib.Path(__file__).resolve().parent.parent / "config"


def read_listing(text):
    """{path: (type, allowed, default)} of the program's lines."""
    keys = {}
    for line in text.splitlines():
        path, *fields = line.split("\t")
        keys[path] = tuple(fields)
    return keys


def resolve(schema, root):
    """The schema with its reference replaced; what stands beside the reference wins."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix("#/$defs/")
    return {**root["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}


def allowed_of(schema, root):
    """What a schema allows, in the words of the code; None when it has no words for it."""
    kind = schema.get("type")
    if kind == "object":
        return "an object"
    if kind == "array":
        items = resolve(schema["items"], root)
        if items["type"] == "object":
            return "up to limits.backends objects"
        between = " different of " if schema.get("uniqueItems") else " of "
        count = f"{schema.get('minItems', 0)}..{schema.get('maxItems')}"
        return count + between + str(allowed_of(items, root))
    if kind == "string":
        if "enum" in schema:
            return ", ".join(f'"{choice}"' for choice in schema["enum"])
        if schema.get("anyOf") == [{"format": "ipv4"}, {"format": "ipv6"}]:
            return "IPv4 or IPv6 address of a host"
        if schema.get("format") in ("ipv4", "ipv6"):
            return f"IPv{schema['format'][-1]} address of a host"
        length = f"{schema.get('minLength', 0)}..{schema.get('maxLength')}"
        if schema.get("pattern") == "^[A-Za-z0-9._-]+$":
            return length + " of A-Z a-z 0-9 . _ -"
        if schema.get("pattern", "").startswith("^[0-9A-Fa-f:.]+(/"):
            return "a prefix, of the family of address"
        return length + " bytes"
    if kind == "integer":
        if "anyOf" in schema:
            zero, limits = schema["anyOf"]
            return f"{zero['const']} or {limits['minimum']}..{limits['maximum']}"
        if schema["minimum"] == schema["maximum"]:
            return str(schema["minimum"])
        return f"{schema['minimum']}..{schema['maximum']}"
    return None


def type_of(schema, root):
    if schema.get("type") == "array":
        return f"array of {resolve(schema['items'], root)['type']}s"
    return schema.get("type")


def flatten(schema, root, path=""):
    """Yields (path, schema, required) of every property."""
    for name, found in schema.get("properties", {}).items():
        inner = resolve(found, root)
        yield path + name, inner, name in schema.get("required", [])
        if inner.get("type") == "array":
            yield from flatten(resolve(inner["items"], root), root, path + name + "[].")
        else:
            yield from flatten(inner, root, path + name + ".")


def objects_of(schema):
    """Yields every schema of an object inside a schema."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            yield schema
        for inner in schema.values():
            yield from objects_of(inner)


def is_override(path, default):
    """True for a key of a backend whose default is the key of that name in queues."""
    return path.startswith("backends[].") and default == "queues." + path.split(".", 1)[1]


def default_problem(path, schema, required, default):
    """What is wrong with a property's default, or None."""
    if required != (default == "required"):
        return "required in one place only"
    try:
        value = json.loads(default)
    except ValueError:
        if "default" in schema:
            return f"default {schema['default']!r}, the code has: {default}"
        words = f"Default: {default}."
        if required or is_override(path, default) or words in schema["description"]:
            return None
        return f"description lacks: {words}"
    if "default" not in schema or schema["default"] != value:
        return f"default {schema.get('default')!r}, the code has {default}"
    return None


def schema_problems(keys, root):
    """Differences between the schema and the code."""
    seen = set()
    for found in objects_of(root):
        if found.get("additionalProperties") is not False:
            yield f"schema.json: an object lets unknown keys pass: {list(found['properties'])}"
    for path, schema, required in flatten(root, root):
        seen.add(path)
        if path not in keys:
            yield f"schema.json: {path}: not in the code"
            continue
        kind, allowed, default = keys[path]
        if not schema.get("description"):
            yield f"schema.json: {path}: no description"
        if type_of(schema, root) != kind:
            yield f"schema.json: {path}: type {type_of(schema, root)}, the code has {kind}"
        elif allowed_of(schema, root) != allowed:
            yield f"schema.json: {path}: {allowed_of(schema, root)}, the code has: {allowed}"
        problem = default_problem(path, schema, required, default)
        if problem:
            yield f"schema.json: {path}: {problem}"
    for path in keys:
        if path not in seen:
            yield f"schema.json: {path}: missing"


def read_tables(text):
    """Yields (path, type, default, allowed, effect) of the rows whose first cell names keys."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `") or len(cells) != 6:
            continue
        kind, default, allowed = (cell.replace("`", "") for cell in cells[1:4])
        for path in re.findall(r"`([^`]+)`", cells[0]):
            yield path, kind, default, allowed, cells[5]


def readme_problems(keys, text):
    """Differences between the README's tables and the code."""
    seen = set()
    for path, kind, default, allowed, effect in read_tables(text):
        if path in seen:
            yield f"README.md: {path}: twice"
        seen.add(path)
        if path not in keys:
            yield f"README.md: {path}: not in the code"
            continue
        for what, said, meant in zip(
            ("type", "allowed", "default"), (kind, allowed, default), keys[path]
        ):
            if said != meant:
                yield f"README.md: {path}: {what} {said}, the code has: {meant}"
        if not effect:
            yield f"README.md: {path}: effect is empty"
    for path, (kind, _, default) in keys.items():
        # One sentence there covers the overrides, and objects have no row of their own.
        if path not in seen and kind != "object" and not is_override(path, default):
            yield f"README.md: {path}: missing"


TYPES = {"object": dict, "array": list, "string": str, "integer": int}


def is_format(value, name):
    try:
        return ipaddress.ip_address(value).version == {"ipv4": 4, "ipv6": 6}[name]
    except ValueError:
        return False


def invalid(value, schema, root, path="top level"):
    """Yields where a value breaks a schema, for the keywords that ours uses."""
    schema = resolve(schema, root)
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool)):
        yield f"{path}: not of type {kind}"
        return
    broken = {
        "minimum": lambda limit: value < limit,
        "maximum": lambda limit: value > limit,
        "minLength": lambda limit: len(value) < limit,
        "maxLength": lambda limit: len(value) > limit,
        "minItems": lambda limit: len(value) < limit,
        "maxItems": lambda limit: len(value) > limit,
        "uniqueItems": lambda on: on and len(set(value)) < len(value),
        "enum": lambda choices: value not in choices,
        "const": lambda wanted: value != wanted,
        "pattern": lambda pattern: not re.search(pattern, value),
        "format": lambda name: not is_format(value, name),
        "not": lambda inner: not list(invalid(value, inner, root)),
        "anyOf": lambda ways: all(list(invalid(value, way, root)) for way in ways),
        "required": lambda names: any(name not in value for name in names),
    }
    ignored = {"$schema", "$defs", "title", "description", "default", "type"}
    walked = {"properties", "additionalProperties", "items"}
    for keyword, operand in schema.items():
        if keyword in broken:
            if broken[keyword](operand):
                yield f"{path}: {json.dumps(value)[:60]} breaks {keyword} {operand}"
        elif keyword not in ignored | walked:
            yield f"{path}: this check does not know the keyword {keyword}"
    if kind == "object":
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from invalid(inner, schema["properties"][name], root, f"{path}.{name}")
            else:
                yield f"{path}.{name}: unknown key"
    if kind == "array":
        for index, inner in enumerate(value):
            yield from invalid(inner, schema["items"], root, f"{path}[{index}]")


def example_problems(root):
    """Examples and defaults that the schema refuses."""
    examples = sorted(path for path in CONFIG.glob("*.json") if path.name != "schema.json")
    if not examples:
        yield f"no examples in {CONFIG}"
    for path in examples:
        for problem in invalid(json.loads(path.read_text()), root, root):
            yield f"{path.name}: {problem}"
    for path, schema, _ in flatten(root, root):
        if "default" in schema:
            for problem in invalid(schema["default"], schema, root, path):
                yield f"schema.json: default of {problem}"


def all_problems(keys, root, readme):
    return [
        *schema_problems(keys, root),
        *readme_problems(keys, readme),
        *example_problems(root),
    ]


def blind_spots(keys, root, readme):
    """Changes to the code's list that this check would not notice: none, or it is worthless."""
    for path, fields in keys.items():
        without = {other: found for other, found in keys.items() if other != path}
        if not all_problems(without, root, readme):
            yield f"check_config_docs.py: would not miss {path}"
        for index, field in enumerate(fields):
            changed = (*fields[:index], field + "0", *fields[index + 1 :])
            if not all_problems({**keys, path: changed}, root, readme):
                yield f"check_config_docs.py: would not notice {path}: {field}0"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    listing = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True, timeout=60)
    keys = read_listing(listing.stdout)
    root = json.loads((CONFIG / "schema.json").read_text())
    readme = (CONFIG / "README.md").read_text()
    problems = all_problems(keys, root, readme) or list(blind_spots(keys, root, readme))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems or not keys:
        sys.exit(1)
    print(f"{len(keys)} keys in step")


if __name__ == "__main__":
    main()
