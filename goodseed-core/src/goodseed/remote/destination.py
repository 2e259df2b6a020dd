"""Defines where runs are copied to: a Goodseed server, or a plugin's destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from goodseed.config import is_web_address
from goodseed.errors import ConfigurationError, GoodseedError, RemoteError
from goodseed.hooktypes import StoredPoints
from goodseed.plugins import call_first
from goodseed.remote.client import Client
from goodseed.remote.messages import Capabilities, Identity
from goodseed.remote.transport import Transport
from goodseed.storage.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from goodseed.columns import Points
    from goodseed.hooktypes import Destination
    from goodseed.remote.messages import RejectedPoint, WantedRun
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["connect"]


def connect(api_url: str, key: str, *, is_http_allowed: bool) -> Client:
    """The remote at that address.

    Raises:
        ConfigurationError: The address is invalid, or no plugin knows it.
    """
    if is_web_address(api_url):
        return Client(Transport(api_url, key, is_http_allowed=is_http_allowed))
    destination = call_first("goodseed_sync_destination", url=api_url, api_key=key)
    if destination is None:
        raise ConfigurationError(
            f"GOODSEED_API_URL must be an address such as https://example.org, not {api_url!r:.200}; "
            "no plugin knows it either (goodseed plugins lists them)."
        )
    return _DestinationClient(api_url, destination)


class _DestinationClient(Client):
    """What uploads runs, talking to a plugin's `Destination` instead of a server."""

    def __init__(self, api_url: str, destination: Destination) -> None:
        self._url: Final = api_url
        self._destination: Final = destination

    @property
    def api_url(self) -> str:
        """The destination's address."""
        return self._url

    def abort(self) -> None:
        """A call of a plugin can't be aborted."""

    def close(self) -> None:
        """There is no connection."""

    def capabilities(self) -> Capabilities:
        """It takes whatever a run may hold."""
        return Capabilities(is_hub=True, float_steps=True, non_finite=True, times=True, columns=True)

    def me(self) -> Identity:
        """There are no users, and no workspaces but those that are named."""
        return Identity("", None)

    def create_run(self, wanted: WantedRun, *, is_written: bool) -> str:
        """Make the run or find it; returns the destination's name of it."""
        project = f"{wanted.workspace}/{wanted.project}" if wanted.workspace else wanted.project
        open_run = self._destination.open_run
        return str(self._tried(open_run, project, wanted.run_id, name=wanted.name, created_at=wanted.created_at))

    def send_configs(self, remote_id: str, configs: Sequence[Mapping[str, str]]) -> None:
        """Set configs, each with ``path``, ``type_tag`` and ``value``."""
        self._tried(self._destination.send_configs, remote_id, configs)

    def request(self, several: Sequence[Points]) -> Any:
        """Whole columns, as `Destination.send_points` takes them."""
        return [
            _points(kind, points.path, points.steps, points.values, points.times)
            for points in several
            if (kind := kind_of(points.kind)) is not None
        ]

    def one_point(self, kind: Kind, path: str, step: float, value: StoredValue, seconds: float) -> tuple[Any, int, str]:
        """A column of one point; it is refused for nothing that all points of a kind have."""
        size = len(value) if isinstance(value, (str, bytes)) else 0
        return _points(kind, path, [step], [value], [seconds]), size, ""

    def request_of(self, single: Sequence[Any]) -> Any:
        """Columns of one point are sent as they are."""
        return list(single)

    def ingest(self, remote_id: str, request: Any) -> list[RejectedPoint]:
        """Hand columns over."""
        self._tried(self._destination.send_points, remote_id, request)
        return []

    def set_status(self, remote_id: str, status: str) -> None:
        """Say that the run is ``finished`` or ``failed``."""
        self._tried(self._destination.end_run, remote_id, status)

    def heartbeat(self, remote_id: str) -> None:
        """A destination gets no heartbeats."""

    def call(self, *_: object, **__: object) -> Any:
        """Whatever is read from a remote can't be read from here."""
        raise RemoteError(f"Runs are copied to {self._url}, and can't be read from there")

    def _tried(self, call: Callable[..., Any], *arguments: object, **named: object) -> Any:
        try:
            return call(*arguments, **named)
        except GoodseedError:
            raise
        except Exception as error:  # a plugin's destination may raise anything
            raise RemoteError(f"{self._url}: {type(error).__name__}: {error}") from error


def _points(
    kind: Kind, path: str, steps: Sequence[float], values: Sequence[StoredValue], times: Sequence[float]
) -> StoredPoints:
    return StoredPoints(path, kind.name, steps, list(map(kind.from_stored, values)), times)
