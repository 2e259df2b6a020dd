"""Implements the specification's JSON API: each endpoint is a function of a store and a request."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.errors import FileFormatError
from goodseed.server.api import openapi
from goodseed.server.encoding import Chunks, json_text, points_as_json, time_as_iso
from goodseed.server.parameters import MAX_INTEGER, integer, text
from goodseed.server.routes import Answer, RequestError, Route
from goodseed.storage.edits import Edits
from goodseed.storage.kinds import kinds
from goodseed.values import decode_config, json_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from goodseed.server.queries import Batch, ServedRun
    from goodseed.server.routes import Request, Store
    from goodseed.storage.cache.series import SeriesPaths
    from goodseed.storage.catalog import RunSummary
    from goodseed.storage.rollup.indexed import PointBucket

__all__ = ["ROUTES"]

_RUNS_A_CHUNK: Final = 500
_CHUNK_CHARACTERS: Final = 1 << 17
_KEPT_RUNS: Final = 20_000


@final
class _WrittenRuns:
    """The entries of runs in the list of runs, as they were last written."""

    def __init__(self, store: Store) -> None:
        self._known: Final[dict[str, tuple[RunSummary, SeriesPaths, str]]] = {}  # by the run's file

    def close(self) -> None:
        """Forget them."""
        self._known.clear()

    def get(self, run: RunSummary, paths: SeriesPaths) -> str:
        """The JSON of a run; one that has not changed is the same object as before, and is not written again."""
        known = self._known.get(run.path)
        if known is not None and known[0] is run and known[1] is paths:
            return known[2]
        written = _run_as_json(run, paths)
        if len(self._known) >= _KEPT_RUNS:
            self._known.clear()
        self._known[run.path] = (run, paths, written)
        return written


def list_projects(store: Store, request: Request) -> Answer:
    """The projects, the one that changed last first."""
    projects = sorted(store.projects(), key=lambda project: -project.modified_seconds)
    return Answer(
        {
            "projects": [
                {
                    "name": project.name,
                    "run_count": project.run_count,
                    "last_modified": time_as_iso(project.modified_seconds),
                }
                for project in projects
            ]
        }
    )


def list_runs(store: Store, request: Request) -> Answer:
    """The runs of one project or of all, the newest first."""
    return Answer(_list("runs", _encoded_runs(store, store.runs(text(request, "project")))))


def _encoded_runs(store: Store, runs: list[RunSummary]) -> Iterator[str]:
    written = store.shared.get(_WrittenRuns)
    for start in range(0, len(runs), _RUNS_A_CHUNK):
        yield ", ".join([written.get(run, store.series_paths(run)) for run in runs[start : start + _RUNS_A_CHUNK]])


def _run_as_json(run: RunSummary, paths: SeriesPaths) -> str:
    return json_text(
        {
            "project": run.project,
            "run_id": run.run_id,
            "experiment_name": run.name,
            "created_at": run.created_at,
            "closed_at": run.closed_at,
            "status": run.status,
            "state": run.state,
            "end_reason": run.end_reason,
            "trashed": bool(run.trashed),  # the index has numbers
            **{kind.paths_field: paths.of(kind) for kind in reversed(kinds())},
        }
    )


def get_configs(store: Store, request: Request) -> Answer:
    """The configs of a run as JSON values: a time as ISO 8601 text, a set as a sorted list."""
    with closing(store.open(**request.parameters)) as run:
        configs = {path: _config_as_json(tag, value) for path, tag, value in run.stored_configs()}
    return Answer({"configs": configs})


def _config_as_json(tag: str, value: str | None) -> Any:
    try:
        decoded = decode_config(tag, value)
    except (FileFormatError, RecursionError):
        return value  # a tag of a newer version, or a text that does not fit its tag: as it is stored
    if isinstance(decoded, datetime):  # one without a zone means something to the one who set it
        return value if decoded.tzinfo is None else decoded.astimezone(timezone.utc).isoformat()
    if isinstance(decoded, set):
        return sorted(map(str, decoded))
    return json_number(decoded) if isinstance(decoded, float) else decoded


def get_metric_paths(store: Store, request: Request) -> Answer:
    """The paths of a run's metrics."""
    with closing(store.open(**request.parameters)) as run:
        return Answer({"paths": run.series_paths().metrics})


def get_metrics(store: Store, request: Request) -> Answer:
    """The points of a run's metrics; with ``pointCount`` one metric in at most that many buckets."""
    store.find(**request.parameters)  # a missing run is a 404, whatever else is asked
    path = text(request, "path")
    point_count = integer(request, "pointCount", low=1)
    if point_count is not None and path is None:
        raise RequestError("pointCount requires a path parameter")
    fault = "firstPointIndex and lastPointIndex must be integers"
    first = integer(request, "firstPointIndex", low=-MAX_INTEGER, fault=fault)
    last = integer(request, "lastPointIndex", low=-MAX_INTEGER, fault=fault)
    run = store.open(**request.parameters)
    if point_count is None or path is None:
        return _answer(run, "metrics", run.iterate_metrics(path))
    with closing(run):
        window = run.metric_window(path, point_count, first, last)
    return Answer(
        {
            "points": [_bucket_as_json(path, bucket) for bucket in window.buckets],
            "firstPointIndex": window.first,
            "lastPointIndex": window.last,
            "totalCount": window.total,
            "downsampled": window.is_downsampled,
        }
    )


def _bucket_as_json(path: str, bucket: PointBucket) -> dict[str, Any]:
    return {
        "path": path,
        "step": json_number(bucket.step),
        "value": json_number(bucket.value),
        "minY": json_number(bucket.lowest),
        "maxY": json_number(bucket.highest),
        "downsampled": bucket.is_aggregate,
        "logged_at": time_as_iso(bucket.time_seconds),
    }


def get_string_series(store: Store, request: Request) -> Answer:
    """The points of a run's string series: all, a page of them, or the last ones."""
    store.find(**request.parameters)
    fault = "limit, offset, and tail must be integers"
    path = text(request, "path")
    limit = integer(request, "limit", fault=fault)
    offset = integer(request, "offset", fault=fault) or 0
    tail = integer(request, "tail", fault=fault)
    run = store.open(**request.parameters)
    try:
        total = run.text_total(path)
    except BaseException:
        run.close()
        raise
    if tail is not None:
        found = run.iterate_texts(path, limit=tail, from_end=True)
    else:
        found = run.iterate_texts(path, limit=limit, offset=offset if limit is not None else 0)
    return _answer(run, "string_series", found, f', "total": {total}')


def move_to_trash(store: Store, request: Request) -> Answer:
    """Mark a run as trashed; its file stays where it is."""
    store.edit(**request.parameters, edits=Edits(is_trashed=True))
    store.look()
    return Answer({"ok": True})


def restore_from_trash(store: Store, request: Request) -> Answer:
    """Take the mark away again."""
    store.edit(**request.parameters, edits=Edits(is_trashed=False))
    store.look()
    return Answer({"ok": True})


def _answer(run: ServedRun, name: str, batches: Iterable[Batch], rest: str = "") -> Answer:
    """An answer with the list ``name``: whole where it is short, else in chunks; ``run`` is closed when it is read."""
    chunks = _closing(run, _list(name, map(points_as_json, batches), rest))
    first, second = next(chunks), next(chunks, None)
    return Answer(first if second is None else Chunks([first, second], chunks))


def _list(name: str, batches: Iterable[str], rest: str = "") -> Iterator[bytes]:
    """The object with the list ``name``, of which each batch holds some members, separated by commas."""
    pieces, size = [f'{{"{name}": ['], 0
    separator = ""
    for batch in batches:
        pieces += (separator, batch)
        size += len(batch)
        separator = ", "
        if size >= _CHUNK_CHARACTERS:
            yield "".join(pieces).encode()
            pieces, size = [], 0
    yield "".join([*pieces, f"]{rest}}}"]).encode()


def _closing(run: ServedRun, chunks: Iterator[bytes]) -> Iterator[bytes]:
    with closing(run):
        yield from chunks


_RUN: Final = "/api/runs/{project:path}/{run_id}"

ROUTES: Final = (
    Route("GET", "/api/projects", list_projects, "List all projects", openapi.PROJECTS, is_public=True),
    Route("GET", "/api/runs", list_runs, "List the runs of a project, or all", openapi.RUNS, is_public=True),
    Route("GET", f"{_RUN}/configs", get_configs, "The configs of a run", openapi.CONFIGS, is_public=True),
    Route("GET", f"{_RUN}/metrics", get_metrics, "The points of metrics", openapi.METRICS, is_public=True),
    Route("GET", f"{_RUN}/metric-paths", get_metric_paths, "The paths of metrics", openapi.PATHS, is_public=True),
    Route("GET", f"{_RUN}/string_series", get_string_series, "The texts of a run", openapi.TEXTS, is_public=True),
    Route("POST", f"{_RUN}/trash/restore", restore_from_trash, "Take a run out of the trash", openapi.TRASH,
          changes_state=True),
    Route("POST", f"{_RUN}/trash", move_to_trash, "Move a run to the trash", openapi.TRASH, changes_state=True),
)  # fmt: skip
