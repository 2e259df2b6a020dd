"""Where runs are copied to: a Goodseed server, or what a plugin offers for another kind of address."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, Final

from goodseed.config import is_web_address
from goodseed.errors import ConfigurationError, GoodseedError, RemoteError
from goodseed.plugins import call_first
from goodseed.remote.client import Capabilities, Client, Identity
from goodseed.remote.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from goodseed.hooktypes import Destination
    from goodseed.remote.client import RejectedPoint

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
            f"GOODSEED_API_URL must be such as https://example.org, not {api_url!r:.200}; no plugin knows it either "
            "(goodseed plugins lists them)."
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
        """A call that goes on can't be broken off."""

    def close(self) -> None:
        """There is no connection."""

    def capabilities(self) -> Capabilities:
        """It takes whatever a run may hold."""
        return Capabilities(is_hub=True, float_steps=True, non_finite=True, times=True)

    def me(self) -> Identity:
        """There are no users, and no workspaces but those that are named."""
        return Identity("", None)

    def create_run(
        self,
        workspace: str,
        project: str,
        run_id: str,
        *,
        name: str | None,
        is_written: bool,
        created_at: str | None = None,
        modified_at: str | None = None,
    ) -> str:
        """Make the run or find it; returns the destination's name of it."""
        full_name = f"{workspace}/{project}" if workspace else project
        return str(self._tried(self._destination.open_run, full_name, run_id, name=name, created_at=created_at))

    def send_configs(self, remote_id: str, configs: Sequence[Mapping[str, str]]) -> None:
        """Set configs, each with ``path``, ``type_tag`` and ``value``."""
        self._tried(self._destination.send_configs, remote_id, configs)

    def ingest(self, remote_id: str, points: Sequence[str]) -> list[RejectedPoint]:
        """Send points, JSON objects already, several to a string or one."""
        found = [_point(item) for item in json.loads(f"[{','.join(points)}]")]
        self._tried(self._destination.send_points, remote_id, found)
        return []

    def ingest_compressed(
        self, remote_id: str, body: bytes, content_type: str = "application/json"
    ) -> list[RejectedPoint]:
        """The same, with what `compressed_points` has made of them."""
        return self.ingest(remote_id, [json.dumps(item) for item in json.loads(gzip.decompress(body))["points"]])

    def set_status(self, remote_id: str, status: str) -> None:
        """Say that the run is ``finished`` or ``failed``."""
        self._tried(self._destination.end_run, remote_id, status)

    def heartbeat(self, remote_id: str) -> None:
        """Nobody waits for one."""

    def _call(self, *_: object, **__: object) -> Any:
        raise RemoteError(f"Runs are copied to {self._url}, and can't be read from there")

    def _tried(self, call: Callable[..., Any], *arguments: object, **named: object) -> Any:
        try:
            return call(*arguments, **named)
        except GoodseedError:
            raise
        except Exception as error:  # whatever a plugin may raise
            raise RemoteError(f"{self._url}: {type(error).__name__}: {error}") from error


def _point(item: dict[str, Any]) -> dict[str, Any]:
    """A point of the wire protocol, in the words of a run file."""
    step, seconds = float(item["step"]), item["timestampMs"] / 1000
    if "number" in item:
        return {"path": item["path"], "step": step, "ts": seconds, "y": float(item["number"])}
    return {"path": item["path"], "step": step, "ts": seconds, "string_value": item["text"]}
