"""Keeps the list of workspaces, projects and runs, and which runs are alive."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_project, check_run_id
from goodseed.times import utc_text
from goodseed_hub.errors import ApiError, HubError

if TYPE_CHECKING:
    from goodseed_hub.registry.database import Database

__all__ = ["Directory", "RunRecord", "RunState"]

_COLUMNS: Final = "id, workspace, project, run_id, name, status, created_at, ended_at, seen_at"
_MAX_REMEMBERED: Final = 100_000
_REVIVAL_SECONDS: Final = 5.0  # a heartbeat that was under way when its run ended comes sooner
_MAX_NAME_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What identifies a run, and never changes.

    Attributes:
        id: The hub's own id of it, a UUID.
        workspace: Its workspace.
        project: Its project, without the workspace; may hold slashes.
        run_id: What its client calls it.
    """

    id: str
    workspace: str
    project: str
    run_id: str

    @property
    def full_project(self) -> str:
        """``workspace/project``."""
        return f"{self.workspace}/{self.project}"


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a run, which changes.

    Attributes:
        record: Which run.
        name: The client's name of it.
        status: ``running``, ``finished`` or ``failed``, as was last said.
        created_at: ISO 8601.
        ended_at: When it was said that it has ended, in seconds since the epoch; None while it has not.
        seen_at: When its client last sent a sign of life.
    """

    record: RunRecord
    name: str | None
    status: str
    created_at: str
    ended_at: float | None
    seen_at: float


@final
class Directory:
    """The workspaces, projects and runs in a database; for any number of threads."""

    def __init__(self, database: Database, *, silence_seconds: float = 60.0) -> None:
        """Nothing is read yet.

        Args:
            database: Where they are.
            silence_seconds: A running run without a sign of life for that long has crashed.
        """
        self._database: Final = database
        self._silence_seconds: Final = silence_seconds
        self._records: Final[dict[str, RunRecord]] = {}
        self._seen: Final[dict[str, float]] = {}  # what `write_signs_of_life` has not stored yet
        self._recent: Final[dict[str, float]] = {}

    # -- workspaces and projects ----------------------------------------------------------------------------------

    def create_workspace(self, name: str) -> None:
        """Make a workspace.

        Raises:
            HubError: There is one of that name, or the name can't be one.
        """
        if "/" in check_name(name, "workspace"):
            raise HubError("The name of a workspace must not contain a slash.")
        if not self._database.execute(
            "INSERT INTO hub_workspace (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
            name, time.time(),
        ):  # fmt: skip
            raise HubError(f"The workspace {name!r:.100} exists already.")

    def workspaces(self) -> list[str]:
        """All workspaces, by name."""
        return [name for (name,) in self._database.rows("SELECT name FROM hub_workspace ORDER BY name")]

    def create_project(self, workspace: str, name: str) -> bool:
        """Make a project, unless there is one; returns whether it is new.

        Raises:
            HubError: The name can't be one, or there is no such workspace.
        """
        check_name(name, "project")
        if not self._database.rows("SELECT 1 FROM hub_workspace WHERE name = ?", workspace):
            raise HubError(f"There is no workspace {workspace!r:.100}.")
        count = self._database.execute(
            """INSERT INTO hub_project (workspace, name, created_at) VALUES (?, ?, ?)
            ON CONFLICT (workspace, name) DO NOTHING""",
            workspace, name, time.time(),
        )  # fmt: skip
        return bool(count)

    def projects(self, workspace: str) -> list[dict[str, Any]]:
        """The projects of a workspace, by name."""
        rows = self._database.rows(
            """SELECT p.name, p.created_at, count(r.id) FROM hub_project p
            LEFT JOIN hub_run r ON r.workspace = p.workspace AND r.project = p.name
            WHERE p.workspace = ? GROUP BY p.name, p.created_at ORDER BY p.name""",
            workspace,
        )
        return [
            {"name": name, "workspace": workspace, "created_at": utc_text(created_at), "run_count": count}
            for name, created_at, count in rows
        ]

    def has_project(self, workspace: str, name: str) -> bool:
        """Whether there is such a project."""
        return bool(self._database.rows("SELECT 1 FROM hub_project WHERE workspace = ? AND name = ?", workspace, name))

    # -- runs -----------------------------------------------------------------------------------------------------

    def add_run(self, record: RunRecord, name: str | None, created_at: str, status: str = "running") -> RunState:
        """Add a run, unless one of that name exists; returns the existing one or the new one."""
        now = time.time()
        self._database.execute(
            """INSERT INTO hub_run (id, workspace, project, run_id, name, status, created_at, ended_at, seen_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (workspace, project, run_id) DO NOTHING""",
            record.id, record.workspace, record.project, record.run_id, name, status, created_at,
            None if status == "running" else now, now,
        )  # fmt: skip
        found = self.find(record.workspace, record.project, record.run_id)
        if found is None:
            raise HubError(f"The run {record.run_id!r:.100} could not be entered.")
        return found

    def find(self, workspace: str, project: str, run_id: str) -> RunState | None:
        """The run of that name."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM hub_run WHERE workspace = ? AND project = ? AND run_id = ?",
            workspace, project, run_id,
        )  # fmt: skip
        return _state(rows[0]) if rows else None

    def record(self, id_: str) -> RunRecord | None:
        """The run of that id."""
        known = self._records.get(id_)
        if known is None:
            state = self.state(id_)
            if state is None:
                return None
            if len(self._records) >= _MAX_REMEMBERED:
                self._records.clear()
            known = self._records[id_] = state.record
        return known

    def state(self, id_: str) -> RunState | None:
        """The state of the run of that id."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM hub_run WHERE id = ?", id_)
        return _state(rows[0]) if rows else None

    def runs(self, workspace: str | None = None, project: str | None = None) -> list[RunState]:
        """The runs of a project, of a workspace, or all, the newest first."""
        rows = self._database.rows(
            f"""SELECT {_COLUMNS} FROM hub_run WHERE (workspace = ? OR ? = '') AND (project = ? OR ? = '')
            ORDER BY created_at DESC, run_id""",
            workspace or "", workspace or "", project or "", project or "",
        )  # fmt: skip
        return [_state(row) for row in rows]

    def set_name(self, id_: str, name: str) -> None:
        """The run has another name."""
        self._database.execute("UPDATE hub_run SET name = ? WHERE id = ?", name, id_)

    def set_status(self, id_: str, status: str) -> None:
        """The run is ``running``, ``finished`` or ``failed``."""
        now = time.time()
        ended_at = None if status == "running" else now
        self._database.execute(
            "UPDATE hub_run SET status = ?, ended_at = ?, seen_at = ? WHERE id = ?", status, ended_at, now, id_
        )
        self._recent[id_] = now

    # -- signs of life --------------------------------------------------------------------------------------------

    def see(self, id_: str) -> None:
        """The run's client has sent something."""
        self._seen[id_] = self._recent[id_] = time.time()

    def is_revived_by_heartbeat(self, state: RunState) -> bool:
        """Whether a heartbeat now means that a run that has ended goes on."""
        return (
            state.status != "running" and state.ended_at is not None and time.time() - state.ended_at > _REVIVAL_SECONDS
        )

    def status(self, state: RunState) -> str:
        """``running``, ``finished``, ``failed``, or ``crashed`` for a run that has stopped sending."""
        if state.status != "running":
            return state.status
        seen_at = max(state.seen_at, self._recent.get(state.record.id, 0.0))
        return "crashed" if time.time() - seen_at > self._silence_seconds else "running"

    def write_signs_of_life(self) -> None:
        """Store them, so that other processes and the next start know of them."""
        # In one order: several hubs may store those of the same runs at once.
        seen = [(self._seen.pop(id_), id_) for id_ in sorted(list(self._seen))]  # noqa: C414 - it grows meanwhile
        if seen:
            with self._database.transaction():
                self._database.execute_many("UPDATE hub_run SET seen_at = ? WHERE id = ?", seen)
        forgotten = time.time() - 10 * self._silence_seconds
        for id_ in [id_ for id_, seen_at in list(self._recent.items()) if seen_at < forgotten]:
            self._recent.pop(id_, None)

    # -- what the dashboard keeps ---------------------------------------------------------------------------------

    def dashboard(self, workspace: str, project: str) -> str | None:
        """The dashboard's settings of a project."""
        rows = self._database.rows(
            "SELECT content FROM hub_dashboard WHERE workspace = ? AND project = ?", workspace, project
        )
        return rows[0][0] if rows else None

    def dashboards(self) -> dict[tuple[str, str], str]:
        """The same of all projects, by workspace and project."""
        rows = self._database.rows("SELECT workspace, project, content FROM hub_dashboard")
        return {(workspace, project): content for workspace, project, content in rows}

    def set_dashboard(self, workspace: str, project: str, content: str) -> None:
        """Store them."""
        self._database.execute(
            """INSERT INTO hub_dashboard (workspace, project, content) VALUES (?, ?, ?)
            ON CONFLICT (workspace, project) DO UPDATE SET content = excluded.content""",
            workspace, project, content,
        )  # fmt: skip

    def setting(self, name: str) -> str:
        """A random text that this database, and no other, has under ``name``."""
        self._database.execute(
            "INSERT INTO hub_setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, uuid.uuid4().hex
        )
        value: str = self._database.rows("SELECT value FROM hub_setting WHERE name = ?", name)[0][0]
        return value


def check_name(name: object, what: str) -> str:
    """Return ``name``, which can be that of a workspace, user or project.

    Raises:
        HubError: It can't.
    """
    try:
        checked = check_project(name)
    except (InvalidTypeError, InvalidValueError) as error:
        raise HubError(str(error).replace("project", what, 1)) from error
    if len(checked) > _MAX_NAME_CHARACTERS:
        raise HubError(f"The name of a {what} must have at most {_MAX_NAME_CHARACTERS} characters.")
    return checked


def new_record(workspace: str, project: str, run_id: str) -> RunRecord:
    """A run that has not been entered yet.

    Raises:
        ApiError: Its id can't be one.
    """
    try:
        check_run_id(run_id)
    except (InvalidTypeError, InvalidValueError) as error:
        raise ApiError.bad_request(str(error), "Run.InvalidId") from error
    return RunRecord(str(uuid.uuid4()), workspace, project, run_id)


def _state(row: tuple[Any, ...]) -> RunState:
    id_, workspace, project, run_id, name, status, created_at, ended_at, seen_at = row
    return RunState(RunRecord(id_, workspace, project, run_id), name, status, created_at, ended_at, seen_at)
