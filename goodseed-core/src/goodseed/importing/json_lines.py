"""Reads JSON Lines files, one object a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError
from goodseed.importing.cells import TIME_COLUMNS, Column, encoding_of, step_column, warn_rounded
from goodseed.importing.rows import Examined, Notes, Row, as_step_or_none, check_paths, check_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["examine_json_lines"]

_MAX_DEPTH: Final = 64
_CELL: Final = Column("")


def examine_json_lines(file: Path, wanted_step: str | None) -> Examined:
    """Look through a file of JSON lines.

    Raises:
        FileFormatError: It can't be read; the message says where and why.
        OSError: It can't be opened.
    """
    notes = Notes()
    encoding = encoding_of(file)
    names: dict[str, None] = {}
    try:
        for _, leaves in _objects(file, encoding, notes):
            names.update(dict.fromkeys(leaves))
    except UnicodeError as error:
        raise FileFormatError(f"{file} can't be read: {error}. Save it as UTF-8.") from error
    if not names:
        raise FileFormatError(f"{file} has no JSON object.")
    step = step_column(file, list(names), wanted_step)
    if step is None:
        notes.add("no key is called step or epoch, so the steps are the numbers of the rows")

    def rows() -> Iterator[Row]:
        return _rows(file, encoding, step, Notes())

    for _ in _rows(file, encoding, step, notes):
        pass  # takes notes of the rows
    return Examined(file, rows, notes)


def _rows(file: Path, encoding: str, step_key: str | None, notes: Notes) -> Iterator[Row]:
    step = 0.0
    for number, (line, leaves) in enumerate(_objects(file, encoding, Notes())):
        at_seconds, is_step = None, True
        numbers, texts = {}, {}
        if step_key is None:
            step = float(number)
        elif leaves.get(step_key) is None:
            notes.add(f"a line without {step_key!r} gets the step of the line before")
        for name, value in leaves.items():
            if isinstance(value, int) and not isinstance(value, bool):
                notes.add(warn_rounded(name, str(value), float(value)))
            plain = float(value) if isinstance(value, (bool, int)) else value
            plain = _CELL.value(plain) if isinstance(plain, str) and name != step_key else plain
            if name == step_key:
                found = as_step_or_none(_CELL.value(plain) if isinstance(plain, str) else plain)
                step, is_step = (step if found is None else found), found is not None or value is None
            elif name.lower() in TIME_COLUMNS and (seconds := check_time(plain)) is not None:
                at_seconds = seconds
            elif isinstance(plain, str):
                texts[name] = plain
            elif plain is not None:
                numbers[name] = plain
        if is_step:
            yield Row(step, at_seconds, numbers, texts)
        else:
            notes.leave_out(line, f"has no step at {step_key!r} (--step chooses another key)")


def _objects(file: Path, encoding: str, notes: Notes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object with the number of its line, nested ones by path."""
    broken: tuple[int, str] | None = None
    with file.open(encoding=encoding) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if broken is not None:
                raise _is_none(file, *broken)
            try:
                parsed = json.loads(line, object_pairs_hook=_object)
            except FileFormatError as error:
                raise FileFormatError(f"{file}, line {number}: {error}") from None
            except (ValueError, RecursionError):
                broken = (number, line)
                continue
            if not isinstance(parsed, dict):
                raise _is_none(file, number, line)
            leaves: dict[str, Any] = {}
            _flatten(file, number, leaves, "", parsed, 0)
            yield number, leaves
    if broken is not None:
        if broken[1].endswith("\n"):
            raise _is_none(file, *broken)
        notes.add(f"line {broken[0]}, the last, breaks off and is left out")


def _is_none(file: Path, number: int, line: str) -> FileFormatError:
    return FileFormatError(f"{file}, line {number}: {line.strip()[:60]!r} is not a JSON object.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FileFormatError(f"the key {twice!r} stands twice in one object. Rename one of them.")
    return found


def _flatten(file: Path, line: int, leaves: dict[str, Any], path: str, value: Any, depth: int) -> None:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        for key, part in value.items():
            _flatten(file, line, leaves, f"{path}/{key}" if path else key, part, depth + 1)
        return
    if path in leaves:
        raise FileFormatError(f"{file}, line {line}: {path!r} stands twice, nested and by its path. Rename one.")
    check_paths(file, [path])
    leaves[path] = json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
