"""TOML in, validated structs out. Every error names the file, the line and the key.

The settings of airboss and of the client are msgspec structs; what they do not know is an error, so
that a misspelt key is never silently without effect.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import inspect

from pilot.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

MAX_BYTES = 1024 * 1024
"""A configuration file longer than this is a mistake."""

Path_ = tuple[str | int, ...]
"""Where a value is in the document: keys of tables and indices of arrays."""

_AT = re.compile(r" - at `(key in )?\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_SYNTAX = re.compile(r" \(at line (\d+), column (\d+)\)$")
_WORDS = {
    "`int`": "a whole number",
    "`float`": "a number",
    "`str`": "a text in quotes",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
}


class KeyProblem(ValueError):  # noqa: N818 - it becomes a ConfigError
    """Raised in a struct's `__post_init__`: the value of this key of it will not do."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


def load_toml(path: Path, type: type[T], missing_hint: str = "") -> T:
    """The file as an instance of this struct.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has a key or value that the struct does not take.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file", missing_hint) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_toml(data, type, str(path))


def parse_toml(data: bytes, type: type[T], name: str) -> T:
    """TOML as an instance of this struct; `name` is what errors call the document.

    Raises:
        ConfigError: as for `load_toml`.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{name}: {len(data)} bytes are too many for a configuration file")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}, line {line}: not UTF-8 text") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(name, text, str(error)), "The format is TOML: https://toml.io") from None
    try:
        return msgspec.convert(document, type)
    except msgspec.ValidationError as error:
        raise _invalid(name, text, type, error) from None


def _syntax(name: str, text: str, said: str) -> str:
    """A syntax error of tomllib in our order: file, line, key, what."""
    match = _SYNTAX.search(said)
    what = said[: match.start()] if match else said.removesuffix(" (at end of document)")
    number = int(match[1]) if match else max(1, text.rstrip("\n").count("\n") + 1)
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
    near = f", key '{key[1]}'" if key else ""
    return f"{name}, line {number}{near}: {what[:1].lower()}{what[1:]}"


def _invalid(name: str, text: str, type: type[T], error: msgspec.ValidationError) -> ConfigError:
    """A validation error of msgspec in our words, with the line that caused it."""
    said = str(error)
    where = _AT.search(said)
    path = _steps(where[2]) if where else ()
    what = said[: where.start()] if where else said
    hint = ""
    if unknown := _UNKNOWN.match(what):
        known = _keys_at(type, path)
        path = (*path, unknown[1])
        what = "there is no such key"
        close = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known here: {', '.join(sorted(known))}."
    elif missing := _MISSING.match(what):
        line = _line_of(text, path)
        at = f"{name}, line {line}" if path and line else name
        return ConfigError(f"{at}: key '{_dotted((*path, missing[1]))}' is missing")
    elif isinstance(error.__cause__, KeyProblem):
        what, path = str(error.__cause__), (*path, error.__cause__.key)
    else:
        for word, plain in _WORDS.items():
            what = what.replace(word, plain)
        what = what[:1].lower() + what[1:]
    line = _line_of(text, path)
    at = f"{name}, line {line}" if line else name
    return ConfigError(f"{at}: key '{_dotted(path)}': {what}", hint)


def _steps(path: str) -> Path_:
    """msgspec's `.host[0].uri` as steps. What is inside a dict (`[...]`) has no name: it ends there."""
    steps: list[str | int] = []
    for match in _STEP.finditer(path):
        if match[1] is not None:
            steps.append(match[1])
        elif match[2] is not None:
            steps.append(int(match[2]))
        else:
            break
    return tuple(steps)


def _dotted(path: Path_) -> str:
    """The path as people write it; entries of arrays are counted from 1 as people do."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _keys_at(type: type[T], path: Path_) -> list[str]:
    """The keys that the struct at this place takes."""
    info: inspect.Type = inspect.type_info(type)
    for step in path:
        if isinstance(info, inspect.StructType) and isinstance(step, str):
            found = [field.type for field in info.fields if field.encode_name == step]
            if not found:
                return []
            info = found[0]
        elif isinstance(info, inspect.VarTupleType | inspect.ListType):
            info = info.item_type
        elif isinstance(info, inspect.DictType):
            info = info.value_type
        if isinstance(info, inspect.UnionType):
            info = next((t for t in info.types if isinstance(t, inspect.StructType)), info)
    return [field.encode_name for field in info.fields] if isinstance(info, inspect.StructType) else []


def _line_of(text: str, path: Path_) -> int | None:
    """The line (from 1) of the statement that sets what is at this path, or the nearest thing around it.

    tomllib keeps no positions. The shortest beginning of the document that is TOML and has the path
    ends with that statement: no second parser is needed, and only errors pay for it.
    """
    lines = text.splitlines(keepends=True)
    while path:
        begins = 0
        for count in range(len(lines) + 1):
            try:
                document: object = tomllib.loads("".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                continue
            if _has(document, path):
                return begins + 1
            begins = count
        path = path[:-1]
    return None


def _has(value: object, path: Path_) -> bool:
    for step in path:
        inside = isinstance(step, int) and step < len(value) if isinstance(value, list) else False
        if isinstance(value, dict):
            inside = step in value
        if not inside:
            return False
        value = value[step]  # type: ignore[index]
    return True
