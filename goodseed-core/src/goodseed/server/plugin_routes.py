"""Serves the addresses that plugins add to `goodseed serve`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from goodseed.errors import GoodseedError
from goodseed.plugins import call_for_items
from goodseed.server.routes import Answer, RequestError, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from goodseed.server.routes import Request, Store

__all__ = ["plugin_route"]

_NAME: Final = re.compile("[A-Za-z0-9_-]{1,100}")


def plugin_route(directory: Path) -> Route:
    """The route of all plugins: ``GET /api/plugins/<plugin>/<name>``.

    Args:
        directory: What is served; each answer gets it.
    """
    answers: dict[tuple[str, str], Callable[[Mapping[str, str], Path], Any]] = {
        (plugin, route.name): route.answer
        for plugin, route in call_for_items("goodseed_routes", "name", "answer")
        if _NAME.fullmatch(str(route.name))
    }

    def get(store: Store, request: Request) -> Answer:
        answer = answers.get((request.parameters["plugin"], request.parameters["name"]))
        if answer is None:
            raise RequestError("No plugin has this address", status=404, code="not_found")
        query = {name: values[0] for name, values in request.query.items()}
        try:
            content = answer(query, directory)
        except (GoodseedError, ValueError, LookupError) as error:
            raise RequestError(f"{error}" or type(error).__name__) from error
        return Answer(json.loads(json.dumps(content, allow_nan=False)))

    return Route("GET", "/api/plugins/{plugin}/{name}", get, "What plugins answer")
