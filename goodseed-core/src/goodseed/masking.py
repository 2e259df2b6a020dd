"""Masks secrets in command lines and addresses before they are stored."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MASK", "masked_command", "masked_text", "without_credentials"]

MASK: Final = "***"

_SECRET_WORDS: Final = frozenset(
    {
        "apikey",
        "apitoken",
        "authorization",
        "bearer",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "secrets",
        "token",
    }
)
_KEY_KINDS: Final = frozenset(
    {"access", "api", "auth", "encryption", "license", "private", "secret", "service", "ssh", "signing", "wandb"}
)
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")
_PAIR: Final = re.compile(
    r"""(?P<name>[A-Za-z_][\w.-]*)(?P<between>["']?\s*[=:]\s*)(?P<value>"[^"]*"|'[^']*'|(?!//)[^\s"',;&})\]]+)"""
)
_URL_PASSWORD: Final = re.compile(r"(?P<start>://[^/\s:@]*:)[^/\s@]+(?=@)")
_BEARER: Final = re.compile(r"\b(?P<scheme>Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE)
_KEY_LIKE: Final = re.compile(
    r"""(?<![\w/-])(?:
        (?:sk|pk|rk|gsk|hf|ghp|gho|ghu|ghs|ghr|glpat|xai|r8|nvapi|npm|pypi|dop_v1|xox[a-z])[-_][\w-]{12,}
        | github_pat_\w{12,} | AKIA[A-Z0-9]{12,} | ASIA[A-Z0-9]{12,} | AIza[\w-]{30,}
        | eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?
        | (?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{32,}={0,2}
    )(?![\w/])""",
    re.VERBOSE,
)


def masked_command(arguments: Iterable[str]) -> list[str]:
    """The arguments, with `MASK` in place of what is called a secret or looks like a key.

    ``--api-key X``, ``--token=X``, ``password=X``, ``{"secret": "X"}``, ``https://user:X@host`` and the formats of
    well-known keys are recognised; any 32 letters and digits in a row count as a key.
    """
    masked = []
    is_secret_next = False
    for argument in arguments:
        if is_secret_next and not argument.startswith("--"):
            masked.append(MASK)
            is_secret_next = False
            continue
        is_secret_next = argument.startswith("-") and "=" not in argument and _is_secret_name(argument)
        masked.append(masked_text(argument))
    return masked


def masked_text(text: str) -> str:
    """The text, with `MASK` in place of what is called a secret or looks like a key."""
    text = _BEARER.sub(rf"\g<scheme> {MASK}", text)
    text = _URL_PASSWORD.sub(rf"\g<start>{MASK}", text)
    text = _PAIR.sub(_masked_pair, text)
    return _KEY_LIKE.sub(MASK, text)


def without_credentials(address: str) -> str:
    """The address of a repository without what may be a secret in it: user, password, query and fragment.

    ``https://user:password@host/path?token=x`` becomes ``https://host/path``; ``git@host:path`` stays.
    """
    # The greedy part takes all up to the last @ before the path: a password may hold an @ itself.
    address = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*(?:::[^/]*)?://)[^/]*@", r"\1", address)
    address = re.sub(r"^[^/@:]+:[^/@]*@(?=[^/]+:)", "", address)
    return re.sub(r"[?#].*$", "", address)


def _masked_pair(pair: re.Match[str]) -> str:
    if not _is_secret_name(pair["name"]):
        return pair["name"] + pair["between"] + masked_text(pair["value"])
    quote = pair["value"][0] if pair["value"][0] in "\"'" else ""
    return pair["name"] + pair["between"] + quote + MASK + quote


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if any(word in _SECRET_WORDS for word in words):
        return True
    return any(kind in _KEY_KINDS and word in ("key", "keys") for kind, word in pairwise(words))
