"""Makes typed calls of the wire protocol."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from goodseed.errors import AuthenticationError, RemoteRefusedError, RunNotFoundError
from goodseed.remote import wire
from goodseed.remote.answers import Answers, harmless
from goodseed.remote.messages import Body, Capabilities, Identity, RejectedPoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from goodseed.columns import Points
    from goodseed.remote.messages import WantedRun
    from goodseed.remote.transport import Response, Transport
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = [
    "Client",
    "compressed_columns",
    "compressed_points",
    "split_project",
]

_SMALL_BYTES: Final = 8 << 20
_LARGE_BYTES: Final = 1 << 30
_LARGE_SECONDS: Final = 600.0
_GZIP_LEVEL: Final = 1
_PAGE: Final = 10_000


class Client:
    """Calls one remote.

    Every call raises `AuthenticationError` (401, 403), `ProjectNotFoundError`, `RemoteRefusedError` (any other 4xx), or
    `RemoteError` (no answer, 429, 5xx, or an answer that no Goodseed server gives).
    """

    def __init__(self, transport: Transport) -> None:
        self._transport: Final = transport
        self._answers: Final = Answers(transport.api_url)

    @property
    def api_url(self) -> str:
        """The remote's address."""
        return self._transport.api_url

    def abort(self) -> None:
        """Abort the current call; every later one fails."""
        self._transport.abort()

    def close(self) -> None:
        """Close the connection; every later call fails."""
        self._transport.close()

    # -- who and where --------------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        """What the remote can do."""
        try:
            answer = self._json("GET", "/api/v1/capabilities")
        except RemoteRefusedError:
            return Capabilities()
        if not isinstance(answer, dict):
            return Capabilities()
        names = ("float_steps", "non_finite", "times", "packed_points")
        said = answer.get("kinds")
        kinds = frozenset(name for name in said if isinstance(name, str)) if isinstance(said, list) else None
        return Capabilities(True, kinds=kinds, **{name: answer.get(name) is True for name in names})

    def me(self) -> Identity:
        """Whose key this is."""
        answer = self._json("GET", "/api/v1/auth/me")
        user = answer.get("user") if isinstance(answer, dict) else None
        return Identity(self._answers.field(answer, "name"), harmless(user) or None)

    def workspaces(self) -> list[str]:
        """The names of the workspaces that the key can see."""
        return self._answers.column(self._json("GET", "/api/v1/workspaces"), "id")

    def projects(self, workspace: str) -> list[str]:
        """The names of a workspace's projects."""
        return self._answers.column(self._json("GET", f"/api/v1/workspaces/{_part(workspace)}/projects"), "name")

    def create_project(self, workspace: str, name: str) -> None:
        """Make a project."""
        self._json("POST", f"/api/v1/workspaces/{_part(workspace)}/projects", {"name": name})

    def runs(self, workspace: str, project: str) -> list[dict[str, Any]]:
        """The runs of a project, each with at least ``run_id``."""
        answer = self._json("GET", f"/api/v1/workspaces/{_part(workspace)}/projects/{_part(project)}/runs")
        self._answers.column(answer, "run_id")
        return list(answer)

    # -- writing --------------------------------------------------------------------------------------------------

    def create_run(self, wanted: WantedRun, *, is_written: bool) -> str:
        """Make the run or find it; returns the remote's id of it.

        Raises:
            AuthenticationError: The run is to be written, and the key may only view the workspace.
            RunNotFoundError: The run is to be read and does not exist.
        """
        times = {"created_at": wanted.created_at, "modified_at": wanted.modified_at}
        body = {
            "workspace": wanted.workspace,
            "project": wanted.project,
            "run_id": wanted.run_id,
            "experiment_name": wanted.name,
            **{key: value for key, value in times.items() if value is not None},
        }
        try:
            answer = self._json("POST", "/api/v1/runs", body)
        except RunNotFoundError:
            if is_written:  # who may write makes the run that is not there
                raise self._only_views(wanted.workspace) from None
            raise
        remote_id = self._answers.field(answer, "id")
        if is_written and answer.get("role") == "viewer":
            raise self._only_views(wanted.workspace)
        return remote_id

    def _only_views(self, workspace: str) -> AuthenticationError:
        return AuthenticationError(
            f"The API key may only view the workspace {workspace!r} ({self.api_url}), and writes no runs there. "
            'Use a key of a member, another workspace, or storage="local".'
        )

    def send_configs(self, remote_id: str, configs: Sequence[Mapping[str, str]]) -> None:
        """Set configs, each with ``path``, ``type_tag`` and ``value``; at most 1,000."""
        body = _compressed(json.dumps({"configs": configs}, ensure_ascii=False))
        answer = self._send(f"/api/v1/runs/{_part(remote_id)}/configs", body)
        if answer.status != 204:
            self._answers.as_json(answer)

    def request(self, several: Sequence[Points]) -> Any:
        """What `ingest` sends of whole columns."""
        return compressed_columns(several)

    def one_point(self, kind: Kind, path: str, step: float, value: StoredValue, seconds: float) -> tuple[Any, int, str]:
        """What `request_of` takes of a single point, about how many bytes it has, and what it may be refused for."""
        text, trait = wire.one_point(kind, path, step, value, seconds)
        return text, len(text), trait

    def request_of(self, single: Sequence[Any]) -> Any:
        """What `ingest` sends of single points."""
        return compressed_points(single)

    def ingest(self, remote_id: str, request: Any) -> list[RejectedPoint]:
        """Send points; returns those that were not taken."""
        answer = self._send(f"/api/v1/runs/{_part(remote_id)}/ingest", request.content, request.content_type)
        content = self._answers.as_json(answer) if answer.body else None
        rejected = content.get("rejected") if isinstance(content, dict) else None
        if not isinstance(rejected, list):
            return []
        return [
            RejectedPoint(item["index"], harmless(item.get("detail")))
            for item in rejected
            if isinstance(item, dict) and type(item.get("index")) is int and item["index"] >= 0
        ]

    def set_status(self, remote_id: str, status: str) -> None:
        """Say that the run is ``finished`` or ``failed``."""
        self.call("POST", f"/api/v1/runs/{_part(remote_id)}/status", json.dumps({"status": status}).encode())

    def heartbeat(self, remote_id: str) -> None:
        """Say that the run is alive."""
        self.call("POST", f"/api/v1/runs/{_part(remote_id)}/heartbeat", b"")

    # -- reading --------------------------------------------------------------------------------------------------

    def run(self, remote_id: str) -> dict[str, Any]:
        """A run's details, with its ``configs``."""
        answer = self._json("GET", f"/api/v1/runs/{_part(remote_id)}", max_bytes=_LARGE_BYTES)
        if not isinstance(answer, dict) or not isinstance(answer.get("configs"), list):
            raise self._answers.strange("details of a run without configs")
        return answer

    def paths(self, remote_id: str, kind: str) -> list[str]:
        """The paths of a run's series of one kind, by its name, sorted."""
        answer = self._json("GET", f"/api/v1/runs/{_part(remote_id)}/paths", max_bytes=_LARGE_BYTES)
        self._answers.column(answer, "path")
        return sorted(item["path"] for item in answer if item.get("type") == kind)

    def series(
        self,
        remote_id: str,
        kind: Kind,
        path: str,
        *,
        step_min: float | None = None,
        step_max: float | None = None,
        max_points: int | None = None,
    ) -> dict[str, Any]:
        """A series of a kind that has buckets: ``raw_points``, or ``buckets`` when ``downsampled``."""
        query = {"path": path, "step_min": step_min, "step_max": step_max, "max_points": max_points}
        answer = self._read(remote_id, kind, query)
        wanted = "buckets" if answer.get("downsampled") is True else "raw_points"
        if not isinstance(answer.get(wanted), list):
            raise self._answers.strange(f"a {kind.name} without {wanted}")
        return answer

    def pages(
        self, remote_id: str, kind: Kind, path: str, *, limit: int | None = None, offset: int = 0
    ) -> Iterator[dict[str, Any]]:
        """The points of a series of any other kind, page by page."""
        while limit is None or limit > 0:
            page = _PAGE if limit is None else min(limit, _PAGE)
            answer = self._read(remote_id, kind, {"path": path, "limit": page, "offset": offset})
            points = answer.get("points")
            if not isinstance(points, list):
                raise self._answers.strange(f"a {kind.name} series without points")
            yield from points
            offset += len(points)
            limit = None if limit is None else limit - len(points)
            if len(points) < page:
                return

    def _read(self, remote_id: str, kind: Kind, query: Mapping[str, object]) -> dict[str, Any]:
        given = urlencode({name: value for name, value in query.items() if value is not None})
        address = f"/api/v1/runs/{_part(remote_id)}/data/{kind.endpoint}?{given}"
        answer = self._json("GET", address, max_bytes=_LARGE_BYTES)
        if not isinstance(answer, dict):
            raise self._answers.strange("data that is not an object")
        return answer

    # -- how ------------------------------------------------------------------------------------------------------

    def _json(self, method: str, path: str, body: object = None, *, max_bytes: int = _SMALL_BYTES) -> Any:
        content = None if body is None else json.dumps(body).encode()
        return self._answers.as_json(self.call(method, path, content, max_bytes=max_bytes))

    def _send(self, path: str, body: bytes, content_type: str = "application/json") -> Response:
        return self.call("POST", path, body, {"Content-Encoding": "gzip", "Content-Type": content_type})

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        max_bytes: int = _SMALL_BYTES,
    ) -> Response:
        """Send a request; every method of this class goes through here.

        Raises:
            RemoteError, AuthenticationError, ProjectNotFoundError, RunNotFoundError: The remote fails or refuses.
        """
        types = {} if body is None else {"Content-Type": "application/json"}
        seconds = {"total_seconds": _LARGE_SECONDS} if max_bytes > _SMALL_BYTES else {}
        answer = self._transport.request(
            method, path, body, {**types, **(headers or {})}, max_bytes=max_bytes, **seconds
        )
        if answer.status in (200, 201, 202, 204):
            if answer.content_type == "text/html":
                raise self._answers.strange("a web page, as the login page of a network does")
            return answer
        raise self._answers.refusal(answer)


def split_project(client: Client, project: str) -> tuple[str, str]:
    """The workspace and the project that ``project`` names; without a slash it is in the key's default workspace."""
    workspace, slash, name = project.partition("/")
    return (workspace, name) if slash else (client.me().workspace, project)


def compressed_points(points: Sequence[str]) -> Body:
    """The body of an ingest; ``points`` are JSON objects, several to a string or one."""
    return Body(_compressed(f'{{"points":[{",".join(points)}]}}'))


def compressed_columns(several: Sequence[Points]) -> Body:
    """The body of an ingest of packed points."""
    return Body(gzip.compress(wire.packed(several), _GZIP_LEVEL, mtime=0), wire.PACKED)


def _compressed(body: str) -> bytes:
    return gzip.compress(body.encode(), _GZIP_LEVEL, mtime=0)


def _part(text: str) -> str:
    return quote(text, safe="")
