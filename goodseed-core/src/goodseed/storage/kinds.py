"""Defines the kinds of series: how each is logged, stored, sent and read back.

Code that logs, stores, sends or reads points loops over `kinds`, or looks a kind up by its name: a new kind is one more
entry here. The dashboard lists the series of every kind, and shows numbers as charts and texts as tables.
CONTRIBUTING.md shows how to add a kind.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from goodseed.errors import InvalidValueError
from goodseed.values import as_json_number, as_number, as_text, json_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

__all__ = [
    "NUMBERS",
    "TEXTS",
    "Kind",
    "OtherNames",
    "StoredValue",
    "kind_of",
    "kinds",
    "kinds_in",
    "register",
    "registered",
]

StoredValue: TypeAlias = "float | str | bytes | None"
_NAME: Final = re.compile("[a-z][a-z0-9_]*")
_RECORDS: Final = range(4, 16)  # what an inbox record has room for, but for the layouts of its own
_TAKEN_RECORDS: Final = (5, 6)
_SHOWN_CHARACTERS: Final = 200
_SQL_TYPES: Final = {float: "REAL", str: "TEXT NOT NULL", bytes: "BLOB NOT NULL"}


class OtherNames(NamedTuple):
    """What a kind is called elsewhere; empty where that follows from its name."""

    noun: str = ""
    page_type: str = ""
    paths_field: str = ""


_AS_NAMED: Final = OtherNames()


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of series.

    Attributes:
        name: What it is called on the wire and by plugins; its tables are ``<name>_series`` and ``<name>_points``.
        code: Its number in the hub's database, for ever.
        form: How a value is stored: as ``float`` (NULL stands for NaN), ``str`` or ``bytes``.
        column: The column of its values.
        record: The number of its records in the inbox, from 4 to 15; 5 and 6 are taken. Points of `NUMBERS` come in
            records of another layout, and have none.
        field: The field of a point's value in the JSON that is sent.
        endpoint: The last part of the address from which the remote's points are read.
        to_stored: What is stored of a value that is logged; raises `GoodseedError` for any other value.
        from_stored: The value that was logged, out of what is stored.
        to_json: What JSON says of a stored value: a number or a text, as the hub takes no lists in a point.
        from_json: The stored value that JSON says; raises `ValueError` with a sentence where it says none.
        is_basic: It is the specification's: every run file has its tables, every remote takes and gives it.
        is_packed: A remote with packed points takes it as columns; other remotes, and other kinds, as JSON.
        has_buckets: Its points are shown as buckets of many: in charts, and in the remote's answers; true of `NUMBERS`
            alone.
        redacted: Passes the texts in a stored value through a function, and returns what is stored instead; None for a
            kind without texts, which plugins do not redact.
        elsewhere: What others call it, where that is not its name.
    """

    name: str
    code: int
    form: type
    column: str
    record: int
    field: str
    endpoint: str
    to_stored: Callable[[str, Any], StoredValue]
    from_stored: Callable[[StoredValue], Any]
    to_json: Callable[[StoredValue], Any]
    from_json: Callable[[Any], StoredValue]
    is_basic: bool = False
    is_packed: bool = True
    has_buckets: bool = False
    redacted: Callable[[StoredValue, Callable[[str], str]], StoredValue] | None = None
    elsewhere: OtherNames = _AS_NAMED

    @property
    def noun(self) -> str:
        """What counts call one of its series."""
        return self.elsewhere.noun or self.name

    @property
    def page_type(self) -> str:
        """The type that the page's API gives its series."""
        return self.elsewhere.page_type or self.name

    @property
    def paths_field(self) -> str:
        """The field of its paths in the JSON API's list of runs."""
        return self.elsewhere.paths_field or f"{self.name}_paths"

    @property
    def series_table(self) -> str:
        """The table of its series: id and path."""
        return f"{self.name}_series"

    @property
    def point_table(self) -> str:
        """The table of its points."""
        return f"{self.name}_points"

    @property
    def shown_column(self) -> str:
        """SQL for a value of which `shown` needs no more."""
        return f"substr({self.column}, 1, {_SHOWN_CHARACTERS})" if self.form is str else self.column

    def shown(self, stored: StoredValue) -> Any:
        """What a list of series shows of a stored value: a number, or the beginning of a text."""
        value = self.to_json(stored)
        return value[:_SHOWN_CHARACTERS] if isinstance(value, str) else value

    @property
    def create_series(self) -> str:
        """The statement that makes the table of its series."""
        return f"CREATE TABLE {self.series_table} (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE)"

    def create_points(self, name: str | None = None) -> str:
        """The statement that makes the table of its points, under another ``name`` perhaps.

        Primary-key order and WITHOUT ROWID are what make points fast to write and small.
        """
        return f"""
        CREATE TABLE {name or self.point_table} (
            series_id INTEGER NOT NULL REFERENCES {self.series_table}(id),
            step REAL NOT NULL,
            {self.column} {_SQL_TYPES[self.form]},
            ts INTEGER NOT NULL,
            uploaded INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (series_id, step)
        ) WITHOUT ROWID"""


def _number(path: str, value: Any) -> StoredValue:
    number = as_number(path, value)
    return None if math.isnan(number) else number


def _text(path: str, value: Any) -> StoredValue:
    return as_text(value)


def _text_from_json(value: Any) -> StoredValue:
    if not isinstance(value, str):
        raise ValueError("text must be a string.")
    return value


NUMBERS: Final = Kind(
    name="metric",
    code=0,
    form=float,
    column="y",
    record=0,
    field="number",
    endpoint="metrics",
    to_stored=_number,
    from_stored=lambda stored: math.nan if stored is None else stored,
    to_json=json_number,  # type: ignore[arg-type]
    from_json=as_json_number,
    is_basic=True,
    has_buckets=True,
    elsewhere=OtherNames(page_type="series"),
)
TEXTS: Final = Kind(
    name="string",
    code=1,
    form=str,
    column="value",
    record=4,
    field="text",
    endpoint="strings",
    to_stored=_text,
    from_stored=str,
    to_json=str,
    from_json=_text_from_json,
    is_basic=True,
    is_packed=False,  # a page of texts is most often one point, of which JSON costs no more
    redacted=lambda stored, redact: redact(str(stored)),
    elsewhere=OtherNames(noun="text", page_type="text", paths_field="string_series_paths"),
)
_OWN: Final = ("name", "code", "record", "field", "endpoint", "noun", "page_type", "paths_field")
_by_name: Final[dict[str, Kind]] = {}


def kinds() -> tuple[Kind, ...]:
    """All of them; the specification's first."""
    return tuple(_by_name.values())


def kind_of(name: str) -> Kind | None:
    """The kind of that name; None for one that this version does not know."""
    return _by_name.get(name)


def kinds_in(connection: sqlite3.Connection) -> tuple[Kind, ...]:
    """The kinds of which a run file has tables: those that are not basic get theirs with their first point."""
    known = kinds()
    if all(kind.is_basic for kind in known):
        return known
    found = connection.execute("SELECT name FROM sqlite_master UNION SELECT name FROM sqlite_temp_master").fetchall()
    names = {name for (name,) in found}
    return tuple(kind for kind in known if kind.is_basic or kind.point_table in names)


def register(kind: Kind) -> None:
    """Add ``kind`` to the table.

    Raises:
        InvalidValueError: Its name or record number is invalid, or another kind has its name, code, record, field,
            endpoint, or what it is called elsewhere.
    """
    if not _NAME.fullmatch(kind.name):
        raise InvalidValueError(f"Invalid kind {kind.name!r}: use small letters, digits and '_'.")
    if kind is not NUMBERS and (kind.record not in _RECORDS or kind.record in _TAKEN_RECORDS):
        raise InvalidValueError(
            f"Invalid record number {kind.record} of the kind {kind.name!r}: use one from {_RECORDS.start} to "
            f"{_RECORDS.stop - 1} that is none of {_TAKEN_RECORDS}."
        )
    for other in kinds():
        for attribute in _OWN:
            if getattr(kind, attribute) == getattr(other, attribute):
                raise InvalidValueError(
                    f"The kinds {kind.name!r} and {other.name!r} have the same {attribute}: choose another."
                )
    _by_name[kind.name] = kind


@contextmanager
def registered(kind: Kind) -> Iterator[Kind]:
    """`register` for the time of a ``with`` block."""
    register(kind)
    try:
        yield kind
    finally:
        del _by_name[kind.name]


for _kind in (NUMBERS, TEXTS):
    register(_kind)
