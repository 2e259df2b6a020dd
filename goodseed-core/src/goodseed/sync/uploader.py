"""Makes one pass over what waits for upload, and handles what the remote refuses."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

from goodseed.columns import Points
from goodseed.errors import RemoteError, RemoteRefusedError
from goodseed.remote.wire import Encoder
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.outbox import REFUSED, UPLOADED, Mark
from goodseed.sync.items import MAX_BODY, Item, Request, by_trait, parts_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from goodseed.remote.client import Client
    from goodseed.remote.messages import Capabilities, RejectedPoint
    from goodseed.storage.kinds import Kind
    from goodseed.storage.outbox import PendingConfig

__all__ = ["Source", "Uploader"]

_logger: Final = logging.getLogger("goodseed")
_MAX_CONFIGS: Final = 1_000
_MAX_POINTS: Final = 50_000
_MAX_VALUE_BYTES: Final = 4 << 20
_SUSPICIOUS: Final = 20  # refusals of single items in a row: it is not the items
_REFUSALS: Final = (400, 413, 415, 422)


class Source(Protocol):
    """Where what waits is read from, and marked."""

    @property
    def is_alone(self) -> bool:
        """Whether no other process writes it, and what was read is not read again, marked or not."""

    def configs(self, limit: int) -> list[PendingConfig]:
        """The first configs that wait."""

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of series that the run may have points of."""

    def points(self, kind: Kind, limit: int, max_bytes: int) -> list[Points]:
        """Points that wait."""

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
        self._capabilities: Final = capabilities
        self._takes_all: Final = capabilities.float_steps and capabilities.non_finite
        self._label: Final = label
        self._on_sent: Final = on_sent
        self._encoder: Final = Encoder()
        self._reported: Final[set[str]] = set()
        self._untaken: Final[set[str]] = set()
        self._in_a_row = 0
        self.sent = 0
        self.refused = 0

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Send all that waits, until ``should_stop()``.

        Raises:
            RemoteError, AuthenticationError, ProjectNotFoundError: The remote fails or refuses; what it took is marked.
            sqlite3.Error, OSError: The run file can't be read or marked.
        """
        while not should_stop() and (configs := self._source.configs(_MAX_CONFIGS)):
            self._send(configs, self._post_configs, self._mark_configs)
        for kind in self._source.kinds():
            if not self._capabilities.takes(kind):
                self._leave_out(kind, should_stop)
            elif self._source.is_alone:
                self._send_ahead(kind, should_stop)
            else:
                while not should_stop() and (some := self._source.points(kind, _MAX_POINTS, _MAX_VALUE_BYTES)):
                    for request in self._requests(kind, some):
                        self._finish(kind, request, self._try(request))

    def _leave_out(self, kind: Kind, should_stop: Callable[[], bool]) -> None:
        """Mark the points of a kind that the remote does not take: they stay local, with one warning."""
        while not should_stop() and (some := self._source.points(kind, _MAX_POINTS, _MAX_VALUE_BYTES)):
            self._report(f"points of the kind {kind.name!r}, such as {some[0].path!r}", "the remote does not take them")
            self._source.mark(Mark(REFUSED, points=some, is_alone=self._source.is_alone))
            self.refused += sum(len(points.steps) for points in some)

    # -- requests of whole chunks ---------------------------------------------------------------------------------

    def _send_ahead(self, kind: Kind, should_stop: Callable[[], bool]) -> None:
        """Make the next request while one is under way."""
        with ThreadPoolExecutor(1, "goodseed-upload") as sender:
            under_way: tuple[Request, Any] | None = None
            while not should_stop() and (some := self._source.points(kind, _MAX_POINTS, _MAX_VALUE_BYTES)):
                for request in self._requests(kind, some):
                    if under_way is not None:
                        self._finish(kind, under_way[0], under_way[1].result())
                    under_way = request, sender.submit(self._try, request)
            if under_way is not None:
                self._finish(kind, under_way[0], under_way[1].result())

    def _requests(self, kind: Kind, several: Sequence[Points]) -> Iterator[Request]:
        """Series whose points any remote takes, many to a request; after them the others, to be taken apart."""
        if self._capabilities.takes_packed(kind):
            yield Request(several, self._client.request(several))
            return
        waiting: list[Points] = []
        texts: list[str] = []
        apart: list[Points] = []
        size = 0
        for points in several:
            text = self._encode(kind, points)
            if text is None or len(text) > MAX_BODY:
                apart.append(points)
                continue
            if size + len(text) > MAX_BODY:
                yield Request(waiting, self._client.request_of(texts))
                waiting, texts, size = [], [], 0
            waiting.append(points)
            texts.append(text)
            size += len(text)
        if waiting:
            yield Request(waiting, self._client.request_of(texts))
        if apart:
            yield Request(apart, None)

    def _encode(self, kind: Kind, points: Points) -> str | None:
        if kind is not NUMBERS:
            return None
        return self._encoder.points(points.path, points.steps, points.values, points.times)  # type: ignore[arg-type]

    def _try(self, request: Request) -> list[RejectedPoint] | None:
        """Send it; returns None if its points must be sent by themselves."""
        if request.content is None:
            return None
        try:
            return self._client.ingest(self._remote_id, request.content)
        except RemoteRefusedError as error:
            if error.status not in _REFUSALS:
                raise
            return None

    def _finish(self, kind: Kind, request: Request, rejected: list[RejectedPoint] | None) -> None:
        if rejected is not None and not rejected:
            self._in_a_row = 0
            self._source.mark(Mark(UPLOADED, points=request.several, is_alone=self._source.is_alone))
            self._count(sum(len(points.steps) for points in request.several))
            return
        items = [item for points in request.several for item in self._items(kind, points)]
        if rejected:
            self._settle_rejected(kind, items, rejected)
            return
        for trait, group in by_trait(items, takes_all=self._takes_all):
            for part in parts_of(group):
                self._send_alike(kind, trait, part)

    def _send_alike(self, kind: Kind, trait: str, items: Sequence[Item]) -> None:
        """Send points that have a trait in common; when a remote takes none with it, that is found out once."""

        def mark(items: Sequence[Item], state: int) -> None:
            self._mark_items(kind, items, state)

        if trait not in self._untaken:
            if not trait:
                self._send(items, self._post_items, mark)
                return
            try:
                self._post_items(items[:1])
            except RemoteRefusedError as error:
                if error.status not in _REFUSALS:
                    raise
                self._untaken.add(trait)
                self._report(f"{trait}, such as {shown(items[0])}", str(error))
            else:
                self._send(items, self._post_items, mark)
                return
        mark(items, REFUSED)
        self.refused += len(items)

    def _items(self, kind: Kind, points: Points) -> Iterator[Item]:
        for row in zip(points.steps, points.values, points.times, strict=True):
            encoded, size, trait = self._client.one_point(kind, points.path, *row)
            yield Item(encoded, size, points.path, row, trait)

    # -- single items ---------------------------------------------------------------------------------------------

    def _post_items(self, items: Sequence[Item]) -> Collection[int]:
        rejected = self._client.ingest(self._remote_id, self._client.request_of([item.encoded for item in items]))
        for point in rejected:
            self._report(shown(items[point.index]), point.reason)
        return {point.index for point in rejected if point.index < len(items)}

    def _settle_rejected(self, kind: Kind, items: Sequence[Item], rejected: Sequence[RejectedPoint]) -> None:
        """The remote took the request and named points that it left out."""
        out = {point.index: point.reason for point in rejected if point.index < len(items)}
        for index, reason in out.items():
            self._report(shown(items[index]), reason)
        self._mark_items(kind, [items[index] for index in sorted(out)], REFUSED)
        self.refused += len(out)
        taken = [item for index, item in enumerate(items) if index not in out]
        self._mark_items(kind, taken, UPLOADED)
        self._count(len(taken))

    def _mark_items(self, kind: Kind, items: Sequence[Item], state: int) -> None:
        several = [
            Points(path, kind.name, *zip(*(item.row for item in some), strict=True))
            for path, some in groupby(items, key=lambda item: item.path)
        ]
        self._source.mark(Mark(state, points=several))

    def _post_configs(self, configs: Sequence[PendingConfig]) -> Collection[int]:
        body = [{"path": row.path, "type_tag": row.type_tag, "value": row.value or ""} for row in configs]
        self._client.send_configs(self._remote_id, body)
        return ()

    def _mark_configs(self, configs: Sequence[PendingConfig], state: int) -> None:
        self._source.mark(Mark(state, configs=configs))

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
            if error.status not in _REFUSALS:
                raise
            if len(items) > 1:
                middle = len(items) // 2
                self._send(items[:middle], post, mark)
                self._send(items[middle:], post, mark)
                return
            self._in_a_row += 1
            if self._in_a_row >= _SUSPICIOUS:
                raise RemoteError(f"{error}, whatever is sent") from error
            mark(items, REFUSED)
            self.refused += 1
            self._report(shown(items[0]), str(error))
            return
        self._in_a_row = 0
        if rejected:
            mark([items[index] for index in sorted(rejected)], REFUSED)
            self.refused += len(rejected)
        taken = [item for index, item in enumerate(items) if index not in rejected] if rejected else items
        mark(taken, UPLOADED)
        self._count(len(taken))

    def _count(self, items: int) -> None:
        self.sent += items
        if self._on_sent is not None:
            self._on_sent(items)

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
