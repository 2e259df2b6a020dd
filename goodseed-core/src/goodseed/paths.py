"""Defines valid attribute paths, projects, run ids and file locations."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.errors import ConfigurationError, InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from typing import TypeGuard

__all__ = [
    "INBOX_SUFFIX",
    "LOCK_SUFFIX",
    "MAX_PATH_CHARACTERS",
    "RUN_SUFFIX",
    "RunFiles",
    "absolute_directory",
    "check_attribute_path",
    "check_project",
    "check_run_id",
    "home_directory",
    "make_private_directory",
    "run_files",
]

RUN_SUFFIX: Final = ".sqlite"
INBOX_SUFFIX: Final = "-inbox"
LOCK_SUFFIX: Final = "-lock"
MAX_PATH_CHARACTERS: Final = 4096
_logger: Final = logging.getLogger("goodseed")
_told: Final[set[Path]] = set()
_MAX_RUN_ID_CHARACTERS: Final = 128
_MAX_COMPONENT_BYTES: Final = 200  # a file name may hold 255, and ours carry suffixes


class RunFiles:
    """Where one run lies on the disk.

    Attributes:
        database: The run's SQLite file, the only one left after a clean close.
        inbox: What has been logged and is not in the database yet.
        lock: Locked by the operating system for as long as a process writes the run.
    """

    __slots__ = ("database", "inbox", "lock")

    def __init__(self, database: Path) -> None:
        self.database: Final = database
        self.inbox: Final = Path(f"{database}{INBOX_SUFFIX}")
        self.lock: Final = Path(f"{database}{LOCK_SUFFIX}")


def check_attribute_path(path: object) -> str:
    """Return ``path`` as the attribute path under which it is stored, without leading slashes.

    Raises:
        InvalidTypeError: It is no string.
        InvalidValueError: It is empty, over 4,096 characters, or holds NUL or unpaired surrogates.
    """
    # Nearly every path there is, in a tenth of the time.
    if type(path) is str and path.isascii() and path.isprintable() and 0 < len(path) <= MAX_PATH_CHARACTERS:
        plain = path.lstrip("/")
        if plain:
            return plain
    if not isinstance(path, str):
        raise InvalidTypeError(
            f"An attribute path must be a string such as 'train/loss', not {type(path).__name__}: {path!r:.100}"
        )
    stripped = path.lstrip("/")
    if not stripped:
        raise InvalidValueError(f"An attribute path must not be empty: {path!r}. Use one such as 'train/loss'.")
    if len(stripped) > MAX_PATH_CHARACTERS:
        raise InvalidValueError(
            f"An attribute path must have at most {MAX_PATH_CHARACTERS:,} characters, not {len(stripped):,}: "
            f"{path[:60]!r}…"
        )
    if "\0" in stripped or not is_encodable(stripped):
        raise InvalidValueError(f"An attribute path must be valid Unicode text without NUL: {path[:100]!r}")
    return str(stripped)


def is_encodable(text: str) -> TypeGuard[str]:
    """Whether ``text`` is valid Unicode, free of unpaired surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_project(project: object) -> str:
    """Return ``project``, one or several names joined by ``/`` (``workspace/project``).

    Raises:
        InvalidTypeError: It is no string.
        InvalidValueError: A name in it can't be that of a directory, or leads elsewhere (``..``).
    """
    if not isinstance(project, str):
        raise InvalidTypeError(f"project must be a string such as 'team/vision', not {type(project).__name__}.")
    for component in project.split("/"):
        _check_component(component, f"project={project!r:.200}")
    return project


def check_run_id(run_id: object, argument: str = "run_id") -> str:
    """Return ``run_id``, a single file name of at most 128 characters.

    Raises:
        InvalidTypeError: It is no string.
        InvalidValueError: It can't be the name of a file, or leads elsewhere.
    """
    if not isinstance(run_id, str):
        raise InvalidTypeError(f"{argument} must be a string such as 'bold-falcon', not {type(run_id).__name__}.")
    if len(run_id) > _MAX_RUN_ID_CHARACTERS:
        raise InvalidValueError(
            f"{argument} must have at most {_MAX_RUN_ID_CHARACTERS} characters, not {len(run_id)}: {run_id[:40]!r}…"
        )
    _check_component(run_id, f"{argument}={run_id!r}")
    return run_id


def _check_component(name: str, where: str) -> None:
    problem = None
    if not name:
        problem = "an empty name"
    elif name.startswith("."):
        problem = "a name that starts with a dot"
    elif name != name.strip():
        problem = "white space at the edge of a name"
    elif "/" in name or "\\" in name:
        problem = "a slash or backslash inside a name"
    elif not name.isprintable():
        problem = "a control or unprintable character"
    elif len(os.fsencode(name) if is_encodable(name) else b"") > _MAX_COMPONENT_BYTES:
        problem = f"a name of over {_MAX_COMPONENT_BYTES} bytes"
    if problem is not None:
        raise InvalidValueError(
            f"{where} holds {problem}. Use letters, digits, spaces and any of '-_.:' after the first character."
        )


def home_directory(override: str | os.PathLike[str] | None = None) -> Path:
    """The base directory of all data: ``override``, else ``GOODSEED_HOME``, else ``~/.goodseed``."""
    chosen = override if override is not None else os.environ.get("GOODSEED_HOME")
    return absolute_directory(chosen) if chosen else _default_home()


def absolute_directory(chosen: str | os.PathLike[str]) -> Path:
    """Return ``chosen`` as an absolute path, a leading ``~`` replaced by the user's home directory.

    Raises:
        ConfigurationError: There is no home directory; a directory called ``~`` is never made.
    """
    path = os.path.expanduser(os.fspath(chosen))
    if path.startswith("~"):
        raise ConfigurationError(
            f"Invalid directory {os.fspath(chosen)!r}: the user {_user()} has no home directory for the '~'. "
            "Give an absolute path, or set HOME."
        )
    return Path(os.path.abspath(path))


def _default_home() -> Path:
    """``~/.goodseed``; without a home to write to, as in many a container, a directory of the user's in ``/tmp``."""
    path = nearest = os.path.expanduser("~/.goodseed")
    while not os.path.exists(nearest):
        nearest = os.path.dirname(nearest)
        if not nearest:  # "~" stands for nothing
            return _temporary_home(path)
    return Path(path) if os.path.isdir(path) or os.access(nearest, os.W_OK) else _temporary_home(path)


def _temporary_home(wanted: str) -> Path:
    import tempfile

    home = Path(tempfile.gettempdir(), f"goodseed-{_user()}")
    with contextlib.suppress(OSError):
        make_private_directory(home)
    try:
        found = home.lstat()
    except OSError:
        return home  # the first write into it raises
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        home = Path(tempfile.mkdtemp(prefix=f"goodseed-{_user()}-"))  # another user has taken the name
        os.environ["GOODSEED_HOME"] = str(home)  # for the rest of this process, and its children
    if home not in _told:
        _told.add(home)
        _logger.warning(
            "goodseed: there is no home directory to write to (%s); runs are kept in %s, unless GOODSEED_HOME is set.",
            wanted,
            home,
        )
    return home


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else os.environ.get("USERNAME", "user")


def run_files(
    project: str,
    run_id: str,
    *,
    home: str | os.PathLike[str] | None = None,
    log_dir: str | os.PathLike[str] | None = None,
) -> RunFiles:
    """Where the run ``run_id`` of ``project`` lies; both are checked.

    Args:
        project: The project's name, with slashes between its parts.
        run_id: The run's id.
        home: See `home_directory`.
        log_dir: The directory of the file itself, instead of ``<home>/projects/<project>/runs``.

    Raises:
        InvalidValueError: The project or the run id would lead out of that directory.
    """
    check_run_id(run_id)
    if log_dir is not None:
        directory = absolute_directory(log_dir)
    else:
        directory = home_directory(home).joinpath("projects", *check_project(project).split("/"), "runs")
    return RunFiles(directory / f"{run_id}{RUN_SUFFIX}")


def make_private_directory(directory: Path) -> None:
    """Make ``directory`` and its missing parents, each readable by its owner alone (0700).

    Raises:
        OSError: The file system refuses.
    """
    missing = []
    current = directory
    while not current.is_dir():
        missing.append(current)
        if current == current.parent:
            break
        current = current.parent
    for path in reversed(missing):
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if not path.is_dir():
                raise
