"""Passes texts and configs through the plugins that redact, before anything of them is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from goodseed.config_values import Encoded
from goodseed.plugins import implementations, report

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["find_redactor", "redact_config"]


def find_redactor() -> Callable[[str, str], str] | None:
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


def redact_config(redact: Callable[[str, str], str], path: str, config: Encoded) -> Encoded:
    """The type tag and the value to store; a number or a date that is redacted becomes text."""
    if config.type_tag == "string_set":
        texts = [redact(path, text) for text in json.loads(config.value)]
        return config._replace(value=json.dumps(sorted(texts), ensure_ascii=False))
    text = redact(path, config.value)
    return config if text == config.value else Encoded("str", text)
