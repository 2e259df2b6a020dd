"""One pass over what waits to be uploaded: batches, and what to do about those that the remote refuses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from goodseed.errors import RemoteError, RemoteRefusedError
from goodseed.remote import wire
from goodseed.storage.outbox import REFUSED, UPLOADED, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from goodseed.remote.client import Capabilities, Client
    from goodseed.storage.outbox import PendingConfig, PendingPoints

__all__ = ["Source", "Uploader"]

_logger: Final = logging.getLogger("goodseed")
_MAX_CONFIGS: Final = 1_000
_MAX_POINTS: Final = 20_000
_MAX_CHARACTERS: Final = 4 << 20
_MAX_BODY: Final = 8 << 20  # half of what the protocol allows
_SUSPICIOUS: Final = 20  # refusals of single items in a row: it is not the items
_SHOWN: Final = 60


class Source(Protocol):
    """Where what waits is read from, and marked."""

    def configs(self, limit: int) -> list[PendingConfig]:
        """See `goodseed.storage.outbox.Outbox`."""

    def points(self, kind: str, limit: int, max_characters: int) -> PendingPoints:
        """See `goodseed.storage.outbox.Outbox`."""

    def mark(self, mark: Mark) -> None:
        """Write ``mark`` into the run file; raises where that fails."""


class Uploader:
    """Uploads one run.

    Attributes:
        sent: How many configs and points the remote has taken.
        refused: How many it would not have: they are kept in the run file, and not sent again.
    """

    def __init__(
        self,
        client: Client,
        remote_id: str,
        source: Source,
        capabilities: Capabilities,
        *,
        label: str,
        on_sent: Callable[[int], None] | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            client: The remote.
            remote_id: The remote's id of the run.
            source: The run.
            capabilities: What the remote can do.
            label: What to call the run in a warning.
            on_sent: Called with the number of items after each request that the remote has accepted.
        """
        self._client: Final = client
        self._remote_id: Final = remote_id
        self._source: Final = source
        self._takes_all: Final = capabilities.float_steps and capabilities.non_finite
        self._label: Final = label
        self._on_sent: Final = on_sent
        self._reported: Final[set[str]] = set()
        self._in_a_row = 0
        self.sent = 0
        self.refused = 0

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Send all that waits, until ``should_stop()``.

        Raises:
            RemoteError, AuthenticationError, ProjectNotFoundError: The remote is not to be had; what it took is marked.
            sqlite3.Error, OSError: The run file can't be read or marked.
        """
        while not should_stop() and (configs := self._source.configs(_MAX_CONFIGS)):
            self._send(configs, self._post_configs, self._mark_configs)
        for kind in ("metric", "string"):
            while not should_stop():
                pending = self._source.points(kind, _MAX_POINTS, _MAX_CHARACTERS)
                if not pending.rows:
                    break
                self._send_points(pending, should_stop)

    # -- points ---------------------------------------------------------------------------------------------------

    def _send_points(self, pending: PendingPoints, should_stop: Callable[[], bool]) -> None:
        """Send them in requests of a size that any server takes; what a plain one may refuse goes by itself."""
        kind, items = pending.kind, _items(pending)
        is_plain = [self._takes_all or wire.is_plain(row[1], row[2]) for _, row in items]
        usual = [item for item, plain in zip(items, is_plain, strict=True) if plain]
        unusual = [item for item, plain in zip(items, is_plain, strict=True) if not plain]
        for group in (usual, unusual):
            for part in _parts(group):
                if should_stop():
                    return
                self._send(part, self._post_points, lambda part, state: self._mark_points(kind, part, state))

    def _post_points(self, items: Sequence[Any]) -> Collection[int]:
        rejected = self._client.ingest(self._remote_id, [text for text, _ in items])
        for point in rejected:
            self._report(_shown(items[point.index]), point.reason)
        return {point.index for point in rejected}

    def _mark_points(self, kind: str, items: Sequence[Any], state: int) -> None:
        self._source.mark(Mark(state, kind=kind, rows=[row for _, row in items]))

    # -- configs --------------------------------------------------------------------------------------------------

    def _post_configs(self, configs: Sequence[PendingConfig]) -> Collection[int]:
        body = [{"path": row.path, "type_tag": row.type_tag, "value": row.value or ""} for row in configs]
        self._client.send_configs(self._remote_id, body)
        return ()

    def _mark_configs(self, configs: Sequence[PendingConfig], state: int) -> None:
        self._source.mark(Mark(state, configs=configs))

    # -- refusals -------------------------------------------------------------------------------------------------

    def _send(
        self,
        items: Sequence[Any],
        post: Callable[[Sequence[Any]], Collection[int]],
        mark: Callable[[Sequence[Any], int], None],
    ) -> None:
        """Send ``items``; of a batch that is refused each half by itself, down to the one that is to blame.

        Args:
            items: What to send in one request.
            post: Sends it, and returns the places of those that the remote did not take.
            mark: Marks some of it.
        """
        try:
            rejected = post(items)
        except RemoteRefusedError as error:
            if error.status not in (400, 413, 422):
                raise
            if len(items) > 1:
                middle = len(items) // 2
                self._send(items[:middle], post, mark)
                self._send(items[middle:], post, mark)
                return
            self._in_a_row += 1
            if self._in_a_row >= _SUSPICIOUS:
                raise RemoteError(f"{error}, whatever it is sent") from error
            mark(items, REFUSED)
            self.refused += 1
            self._report(_shown(items[0]), str(error))
            return
        self._in_a_row = 0
        if rejected:
            mark([items[index] for index in rejected], REFUSED)
            self.refused += len(rejected)
        taken = [item for index, item in enumerate(items) if index not in rejected] if rejected else items
        mark(taken, UPLOADED)
        self.sent += len(taken)
        if self._on_sent is not None:
            self._on_sent(len(items))

    def _report(self, what: str, reason: str) -> None:
        if reason in self._reported or len(self._reported) > _SUSPICIOUS:
            return
        self._reported.add(reason)
        _logger.warning(
            "goodseed: the remote refuses a part of run %s, which is kept on this machine alone: %s (%s). "
            "Others like it are not named.",
            self._label,
            what,
            reason,
        )


def _items(pending: PendingPoints) -> list[tuple[str, tuple[int, float, float | str | None, float]]]:
    """Each point as JSON, with its row."""
    items: list[tuple[str, tuple[int, float, float | str | None, float]]] = []
    make: Callable[..., Any] = wire.metric_points if pending.kind == "metric" else wire.text_points
    start, rows = 0, pending.rows
    while start < len(rows):
        series, end = rows[start][0], start
        while end < len(rows) and rows[end][0] == series:
            end += 1
        part = rows[start:end]
        items += zip(make(pending.paths[series], (row[1:] for row in part)), part, strict=True)
        start = end
    return items


def _parts(items: Sequence[tuple[str, Any]]) -> list[Sequence[tuple[str, Any]]]:
    """``items`` in requests of at most `_MAX_BODY` characters, but for a single one that is longer."""
    parts, start, size = [], 0, 0
    for index, (text, _) in enumerate(items):
        if size + len(text) > _MAX_BODY and index > start:
            parts.append(items[start:index])
            start, size = index, 0
        size += len(text)
    return [*parts, items[start:]] if len(items) > start else parts


def _shown(item: Any) -> str:
    text = item[0] if isinstance(item, tuple) else f"config {item.path!r} of {len(item.value or ''):,} characters"
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…"
