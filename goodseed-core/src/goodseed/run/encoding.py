"""Encodes configs and texts as a run file stores them, after the plugins that redact have seen them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final

from goodseed.config_values import Encoded, encode_config
from goodseed.plugins import implementations, report
from goodseed.times import now_text
from goodseed.values import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["Encoder"]


class Encoder:
    """Encodes what one run logs. Which plugins redact is looked up once, as the run opens.

    Args:
        is_stored: Whether anything of it is stored; plugins see only what is.
    """

    def __init__(self, *, is_stored: bool) -> None:
        self._redact: Final = _find_redactor() if is_stored else None

    def configs(self, values: Mapping[str, object]) -> list[tuple[str, str, str, str]]:
        """Configs as (path, type tag, value, time of the change)."""
        now = now_text()
        if self._redact is None:
            return [(path, *encode_config(value, path), now) for path, value in values.items()]
        redact = self._redact
        return [(path, *_redacted(redact, path, encode_config(value, path)), now) for path, value in values.items()]

    def text(self, path: str, value: object) -> str:
        """The text of ``value``, a point of the string series ``path``."""
        text = as_text(value)
        return text if self._redact is None else self._redact(path, text)

    def value(self, kind: Kind, path: str, value: object) -> StoredValue:
        """What is stored of ``value``, a point of a series of any kind.

        Raises:
            GoodseedError: The value is none of that kind.
        """
        stored = kind.to_stored(path, value)
        if self._redact is None or kind.redacted is None:
            return stored
        return kind.redacted(stored, partial(self._redact, path))


def _find_redactor() -> Callable[[str, str], str] | None:
    """A function that passes a path and a text through all plugins that redact; None where there is none."""
    found = implementations("goodseed_redact")
    if not found:
        return None

    def redact(path: str, text: str) -> str:
        for plugin, function, names in found:
            given = {"path": path, "text": text}
            try:
                answer = function(*(given[name] for name in names))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a plugin may raise anything; its text is withheld
                report(plugin, "goodseed_redact", error)
                return f"(withheld: plugin {plugin} could not redact it)"
            if isinstance(answer, str):
                text = answer
        return text

    return redact


def _redacted(redact: Callable[[str, str], str], path: str, config: Encoded) -> Encoded:
    """The type tag and the value to store; a number or a date that is redacted becomes text."""
    if config.type_tag == "string_set":
        texts = [redact(path, text) for text in json.loads(config.value)]
        return config._replace(value=json.dumps(sorted(texts), ensure_ascii=False))
    text = redact(path, config.value)
    return config if text == config.value else Encoded("str", text)
