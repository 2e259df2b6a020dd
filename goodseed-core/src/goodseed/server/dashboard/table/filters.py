"""Parses the filter language into a tree of conditions, or reports where the error is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Union

from goodseed.server.dashboard.table.patterns import Pattern, compile_pattern
from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Comparison", "Condition", "Junction", "Negation", "Word", "attributes", "parse_filter"]

_MAX_CHARACTERS: Final = 2_000
_MAX_DEPTH: Final = 32
_MAX_TERMS: Final = 200
_TOKENS: Final = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<open>\() | (?P<close>\))
    | (?P<op><=|>=|!=|!~|==|=|<|>|~)
    | (?P<not>!)
    | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<name>`[^`]+`(?::\w+(?:\([^()]*\))?)?)
    | (?P<word>(?:[^\s()<>=!~"'`]|\([^()\s]*:(?:min|max)\))+)
    | (?P<bad>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_AGGREGATE: Final = re.compile(
    r"(?P<path>.+):(?P<aggregate>last|min|max|mean|first|count|at\(.+:(?:min|max)\))", re.DOTALL
)
_NOT_OURS: Final = {"&&": "and, or nothing", "&": "and, or nothing", "||": "or", "|": "or", ",": "and, or nothing"}
_OPERATORS: Final = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "~": "~", "!~": "!~"}


@dataclass(frozen=True, slots=True)
class Word:
    """A text to be found in name, id or tags."""

    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on one attribute.

    Attributes:
        name: As written: a path, the end of one, or a short name of a ``sys/`` column, and perhaps an aggregate.
        is_path: It was written between back-quotes: nothing but a path.
        operator: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``~``, ``!~``, ``:``, ``exists`` or ``missing``.
        value: The text to compare with.
        is_quoted: It was written between quotes: never a number.
        column: Its position in the filter.
        pattern: ``value`` compiled, for ``~`` and ``!~``.
    """

    name: str
    is_path: bool
    operator: str
    value: str
    is_quoted: bool
    column: int
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Negation:
    """Holds where another condition does not."""

    of: Condition


@dataclass(frozen=True, slots=True)
class Junction:
    """Holds where all of its conditions do, or any of them."""

    parts: tuple[Condition, ...]
    is_any: bool


Condition = Union[Word, Comparison, Negation, Junction]  # noqa: UP007 - it is evaluated, on Python 3.10


class _Token(NamedTuple):
    kind: str
    text: str
    column: int
    end: int


def parse_filter(text: str) -> Condition | None:
    """The conditions in ``text``; None for none.

    Raises:
        RequestError: It can't be read; ``details`` holds the ``column``.
    """
    if len(text) > _MAX_CHARACTERS:
        raise _fault(_MAX_CHARACTERS, f"A filter must have at most {_MAX_CHARACTERS:,} characters")
    parser = _Parser(list(_tokens(text)), len(text))
    return parser.parse()


def attributes(condition: Condition | None) -> Iterator[Comparison]:
    """All comparisons in a condition."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, Negation):
        yield from attributes(condition.of)
    elif isinstance(condition, Junction):
        for part in condition.parts:
            yield from attributes(part)


def split_aggregate(name: str) -> tuple[str, str]:
    """The path and the aggregate that a column's name holds; the latter may be empty."""
    match = _AGGREGATE.fullmatch(name)
    return (match["path"], match["aggregate"]) if match else (name, "")


def _fault(column: int, message: str, hint: str = "") -> RequestError:
    return RequestError(message, code="bad_filter", hint=hint, column=column)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKENS.finditer(text):
        kind = str(match.lastgroup)
        if kind == "bad":
            sign = match.group()
            hint = "Close the quotes." if sign in "\"'`" else ""
            raise _fault(match.start(), f"{sign!r} is not understood here", hint)
        if kind != "space":
            yield _Token(kind, match.group(), match.start(), match.end())


class _Parser:
    """Recursive descent: or, and, not, one term."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens: Final = tokens
        self._length: Final = length
        self._at = 0
        self._terms = 0

    def parse(self) -> Condition | None:
        if not self._tokens:
            return None
        condition = self._any(0)
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            raise _fault(token.column, f"{token.text!r:.60} is not expected here")
        return condition

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("end", "", self._length, self._length)

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _is_word(self, *words: str) -> bool:
        token = self._peek()
        return token.kind == "word" and token.text.lower() in words

    def _any(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise _fault(self._peek().column, f"A filter must be nested at most {_MAX_DEPTH} deep")
        parts = [self._all(depth)]
        while self._is_word("or"):
            self._at += 1
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Junction(tuple(parts), is_any=True)

    def _all(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while True:
            if self._is_word("and"):
                self._at += 1
            elif self._peek().kind in ("end", "close") or self._is_word("or"):
                return parts[0] if len(parts) == 1 else Junction(tuple(parts), is_any=False)
            parts.append(self._one(depth))

    def _one(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise _fault(self._peek().column, f"A filter must be nested at most {_MAX_DEPTH} deep")
        token = self._peek()
        if token.kind == "not" or self._is_word("not"):
            self._at += 1
            return Negation(self._one(depth + 1))
        if token.kind == "open":
            self._at += 1
            inner = self._any(depth + 1)
            if self._next().kind != "close":
                raise _fault(token.column, "This parenthesis is not closed")
            return inner
        self._terms += 1
        if self._terms > _MAX_TERMS:
            raise _fault(token.column, f"A filter must have at most {_MAX_TERMS} terms")
        if token.kind == "word" and len(token.text) > 1 and token.text[0] == "-" and not _is_number(token.text):
            self._tokens[self._at] = token._replace(text=token.text[1:], column=token.column + 1)
            return Negation(self._term())
        return self._term()

    def _term(self) -> Condition:
        token = self._next()
        if token.kind == "quoted":
            return Word(_unquoted(token.text))
        if token.kind not in ("word", "name") or (token.kind == "word" and token.text.lower() in ("and", "or")):
            what = "the end" if token.kind == "end" else f"{token.text!r:.60}"
            hint = "Such as lr<=1e-3, tag:baseline or a word."
            raise _fault(token.column, f"A condition is expected, not {what}", hint)
        if token.kind == "word" and (other := _NOT_OURS.get(token.text)):
            raise _fault(token.column, f"{token.text!r} is not understood here", f"Write {other}.")
        if self._peek().kind == "op":
            return self._comparison(token)
        if token.kind == "word" and ":" in token.text:
            return self._tagged(token)
        if token.kind == "name":
            path, _, suffix = token.text[1:].rpartition("`")
            if suffix and not split_aggregate(path + suffix)[1]:
                operator = suffix[1:] if suffix[1:] in ("exists", "missing") else ":"
                return Comparison(path, True, operator, "" if operator != ":" else suffix[1:], False, token.column)
            raise _fault(token.end, "A comparison is expected after an attribute", "Such as <3 or =adam.")
        return Word(token.text)

    def _comparison(self, token: _Token) -> Comparison:
        operator = self._next()
        value = self._next()
        is_junction = value.column > operator.end and value.text.lower() in ("and", "or")
        if value.kind not in ("word", "quoted") or is_junction:
            raise _fault(value.column, f"A value is expected after {operator.text}")
        is_quoted = value.kind == "quoted"
        text = _unquoted(value.text) if is_quoted else value.text
        sign = _OPERATORS[operator.text]
        pattern = compile_pattern(text, value.column, _fault) if sign in ("~", "!~") else None
        return Comparison(*_name_of(token), sign, text, is_quoted, token.column, pattern)

    def _tagged(self, token: _Token) -> Condition:
        """``attribute:value``; the value may be in quotes behind the colon."""
        name, _, value = token.text.partition(":")
        if token.text.endswith((":exists", ":missing")):  # an attribute's own name may hold a colon
            name, _, value = token.text.rpartition(":")
        if not name:
            raise _fault(token.column, "An attribute is expected before ':'")
        is_quoted = False
        following = self._peek()
        if not value and following.kind == "quoted" and following.column == token.end:
            self._at += 1
            value, is_quoted = _unquoted(following.text), True
        elif not value:
            raise _fault(token.end, "A value is expected after ':'")
        if value in ("exists", "missing") and not is_quoted:
            return Comparison(name, False, value, "", False, token.column)
        return Comparison(name, False, ":", value, is_quoted, token.column)


def _name_of(token: _Token) -> tuple[str, bool]:
    if token.kind != "name":
        return token.text, False
    path, _, aggregate = token.text[1:].rpartition("`")
    return path + aggregate, True


def _unquoted(text: str) -> str:
    return re.sub(r"\\([\"'\\])", r"\1", text[1:-1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
