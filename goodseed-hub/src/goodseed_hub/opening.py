"""Opens a hub's data directory or database, and sets it up on the first start."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from goodseed.errors import GoodseedError
from goodseed.paths import RunFiles, absolute_directory, home_directory, make_private_directory
from goodseed.storage.lock import WriterLock
from goodseed.storage.reader import RunReader
from goodseed.storage.scan import scan
from goodseed.times import now_text
from goodseed_hub.errors import HubError
from goodseed_hub.limits import Limits
from goodseed_hub.registry.access import Access
from goodseed_hub.registry.database import Database, SqliteDatabase
from goodseed_hub.registry.directory import Directory, RunRecord
from goodseed_hub.registry.schema import MIGRATIONS, apply_migrations
from goodseed_hub.service import Hub
from goodseed_hub.stores.base import Change
from goodseed_hub.stores.embedded import EmbeddedStore
from goodseed_hub.stores.run_file import RunFileWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed_hub.stores.base import RunStore

__all__ = ["DATABASE_NAME", "PROJECTS", "default_directory", "enter_files", "make_first", "open_hub", "open_registry"]

DATABASE_NAME: Final = "hub.sqlite"
PROJECTS: Final = "projects"
_LOCK_NAME: Final = "hub.lock"
_STARTED_NAME: Final = "machine-started"
_CLOCK_SECONDS: Final = 5  # the start time is computed from the clock, which may be adjusted
_MAX_CACHES: Final = 64


def default_directory() -> Path:
    """``GOODSEED_HUB_DATA``, else ``hub`` in the home directory of Goodseed."""
    chosen = os.environ.get("GOODSEED_HUB_DATA")
    return absolute_directory(chosen) if chosen else home_directory() / "hub"


@contextlib.contextmanager
def open_registry(directory: Path, database_url: str | None) -> Iterator[tuple[Database, Access, Directory]]:
    """The registry alone, for the admin's commands; a running hub may use it at the same time.

    Raises:
        HubError: It is of a newer version.
        OSError, sqlite3.Error, psycopg.Error: It can't be opened.
    """
    database = _open_database(directory, database_url)
    try:
        yield database, Access(database), Directory(database)
    finally:
        database.close()


def _open_database(directory: Path, database_url: str | None) -> Database:
    make_private_directory(directory)
    database: Database
    if database_url is None:
        path = directory / DATABASE_NAME
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        database = SqliteDatabase(path)
    else:
        database = _postgres(database_url)
    try:
        apply_migrations(database, "registry", MIGRATIONS)
    except BaseException:
        database.close()
        raise
    return database


def _postgres(database_url: str) -> Database:
    try:
        from goodseed_hub.registry.postgres import PostgresDatabase
    except ImportError as error:
        raise HubError("PostgreSQL needs psycopg: pip install 'goodseed-hub[postgres]'.") from error
    return PostgresDatabase(database_url)


@contextlib.contextmanager
def open_hub(
    directory: Path,
    database_url: str | None = None,
    *,
    limits: Limits | None = None,
    silence_seconds: float = 60.0,
    makes_projects: bool = True,
    is_read_only: bool = False,
) -> Iterator[Hub]:
    """A hub over a data directory or a database; it is closed at the end.

    Args:
        directory: The data directory; with a database only a cache, and nothing that would be missed.
        database_url: A PostgreSQL database; None for the data directory.
        limits: What is allowed.
        silence_seconds: After how long without a sign of life a run has crashed.
        makes_projects: A run for a project that there is not makes the project.
        is_read_only: No run is to be written: another process may serve the directory meanwhile.

    Raises:
        HubError: It is of a newer version, or another process serves this directory.
        OSError, sqlite3.Error, psycopg.Error: It can't be opened.
    """
    limits = limits or Limits()
    make_private_directory(directory)
    with contextlib.ExitStack() as opened:
        if database_url is None and not is_read_only:
            opened.callback(_lock(directory).release)
        database = _open_database(directory, database_url)
        try:
            registry = Directory(database, silence_seconds=silence_seconds)
            store: RunStore
            if database_url is None:
                store = EmbeddedStore(directory / PROJECTS, max_series=limits.max_series)
            else:
                cache, lock = _free_cache(directory)
                opened.callback(lock.release)
                store = _postgres_store(database, cache / registry.setting("identity"), limits)
        except BaseException:
            database.close()
            raise
        hub = Hub(database, Access(database), registry, store, limits, makes_projects=makes_projects)
        try:
            yield hub
        finally:
            hub.close()


def _lock(directory: Path) -> WriterLock:
    try:
        return WriterLock(directory / _LOCK_NAME)
    except GoodseedError as error:
        raise HubError(f"Another hub serves {directory} already: only one process can at a time.") from error


def _free_cache(directory: Path) -> tuple[Path, WriterLock]:
    """A directory for the copies of runs that no other hub on this machine uses, and its lock."""
    for number in range(_MAX_CACHES):
        cache = directory / "cache" / str(number)
        make_private_directory(cache)
        with contextlib.suppress(GoodseedError):
            lock = WriterLock(cache / _LOCK_NAME)
            _begin_anew_after_a_restart(cache)
            return cache, lock
    raise HubError(f"{_MAX_CACHES} hubs run over {directory} already: give this one another --data.")


def _begin_anew_after_a_restart(cache: Path) -> None:
    """Remove copies from before the machine started: they are not synced, and may be on the disk only in part."""
    note, started = cache / _STARTED_NAME, round(psutil.boot_time())
    with contextlib.suppress(OSError, ValueError):
        if abs(int(note.read_text(encoding="ascii")) - started) <= _CLOCK_SECONDS:
            return
    for path in cache.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    note.write_text(str(started), encoding="ascii")


def _postgres_store(database: Database, root: Path, limits: Limits) -> RunStore:
    from goodseed_hub.registry.postgres import PostgresDatabase
    from goodseed_hub.stores.postgres import PostgresStore

    if not isinstance(database, PostgresDatabase):
        raise AssertionError("unreachable")
    return PostgresStore(database, root, max_series=limits.max_series)


def make_first(database: Database, access: Access, directory: Directory) -> str | None:
    """Make the first workspace, project, admin and key, where there is no user yet; returns the key."""
    with database.exclusive():  # several hubs may start on one new database
        if access.users():
            return None
        if "default" not in directory.workspaces():
            directory.create_workspace("default")
        directory.create_project("default", "default")
        access.create_user("admin", is_admin=True)
        access.set_role("default", "admin", "admin")
        return access.create_key("admin", "made at the first start")[1]


def enter_files(hub: Hub) -> int:
    """Enter the run files that the registry does not know, such as those of a restored backup; returns how many."""
    root = hub.store.root
    known = {(state.record.workspace, state.record.project, state.record.run_id) for state in hub.directory.runs()}
    count = 0
    for path, found in scan(root).runs.items():
        workspace, _, project = (found.project or "").partition("/")
        run_id = Path(path).name.removesuffix(".sqlite")
        if not project or (workspace, project, run_id) in known:
            continue
        if workspace not in hub.directory.workspaces():
            hub.directory.create_workspace(workspace)
        hub.directory.create_project(workspace, project)
        count += _enter(hub, root / path, workspace, project, run_id)
    return count


def _enter(hub: Hub, path: Path, workspace: str, project: str, run_id: str) -> bool:
    try:
        with RunReader(RunFiles(path)) as reader:
            meta = reader.meta()
    except (GoodseedError, OSError):
        return False  # the dashboard's list of problems names it
    status = meta.get("status", "failed")
    record = RunRecord(_free_id(hub, meta.get("hub_run", "")), workspace, project, run_id)
    hub.directory.add_run(
        record,
        meta.get("name"),
        meta.get("created_at") or now_text(),
        status if status in ("running", "finished") else "failed",
    )
    if meta.get("hub_run") != record.id:
        with closing(RunFileWriter(RunFiles(path), max_series=hub.limits.max_series)) as writer:
            writer.write([Change(meta={"hub_run": record.id})])
    return True


def _free_id(hub: Hub, id_: str) -> str:
    """The id that a file names; another one where that is invalid, or where this is a copy of another run."""
    try:
        wanted = str(uuid.UUID(id_))
    except ValueError:
        return str(uuid.uuid4())
    return wanted if hub.directory.state(wanted) is None else str(uuid.uuid4())
