"""Finds out with which exit code the process ends, before it is over.

No hook of Python reports an uncaught `SystemExit`. Its code is found in `sys.exit`, which is watched while runs are
open, in the instruction with which the program's module ended, and in `multiprocessing`. `os._exit` is watched, too.
"""

from __future__ import annotations

import builtins
import contextlib
import dis
import functools
import os
import sys
import threading
from traceback import format_exception_only
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.monitoring.traceback import PRUNED, formatted, is_preempted, is_pruned
from goodseed.run.process_end.exits import listeners, plain_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["ExitWatch", "ProcessEnd", "is_exit_without_fault", "reason_of"]

_MAX_REASON_CHARACTERS: Final = 2_000
_SKIPPED: Final = frozenset({"CACHE", "PRECALL", "PUSH_NULL", "RESUME", "NOP"})
_CALLS: Final = frozenset({"CALL", "CALL_FUNCTION"})
_NAMES: Final = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_DEREF"})
_CONSTANTS: Final = frozenset({"LOAD_CONST", "LOAD_SMALL_INT", "RETURN_CONST"})
_AFTER_A_LAST_CALL: Final = (
    _SKIPPED | _CALLS | {"POP_TOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS"}
)
_NEAR: Final = 12  # instructions that may belong to the same call
_UNKNOWN: Final = object()
_DEEP: Final = object()  # raised in a function, by name: hardly ever with 0


class ProcessEnd(NamedTuple):
    """How a process ends where it does not simply come to its end.

    Attributes:
        status: The status of its runs.
        reason: In one line or some, as ``sys/end_reason`` has it.
        traceback: As Python would print it; empty where there is none.
    """

    status: str
    reason: str
    traceback: str = ""


def reason_of(kind: type[BaseException], error: BaseException | None) -> str:
    """An exception as ``sys/end_reason`` has it: ``ValueError: no``."""
    if is_preempted(kind):
        return "SIGTERM"
    return "".join(format_exception_only(kind, error)).strip()[:_MAX_REASON_CHARACTERS]


def is_exit_without_fault(code: object) -> bool:
    """Whether a process that ends with ``SystemExit(code)`` has the exit code 0."""
    return code is None or (isinstance(code, int) and code == 0)


class ExitWatch:
    """Watches the end of the main thread while it is on.

    Args:
        at_once: Called where `os._exit` is about to end the process, with how it ends; None where all went well.
    """

    def __init__(self, at_once: Callable[[ProcessEnd | None], None]) -> None:
        self._at_once: Final = at_once
        self._program: FrameType | None = None
        self._last_call: FrameType | None = None
        self._asked: ProcessEnd | None = None
        self._was_asked = False
        self._raised: object = None
        self._is_registered = False
        self._patches: Final[list[tuple[Any, str, Any, Any]]] = []

    def start(self) -> None:
        """Begin, or go on."""
        self._program, self._last_call = _program()
        if not self._is_registered:
            self._is_registered = True
            with contextlib.suppress(AttributeError, RuntimeError):  # private, or the process is ending already
                threading._register_atexit(self._look)  # type: ignore[attr-defined]
        if self._patches:
            return
        listeners.append(self._note)
        quitter = type(getattr(builtins, "exit", None))
        if quitter.__name__ == "Quitter":
            self._patch(quitter, "__call__", lambda _, code=None: self._note(code))
        plain_os_exit = os._exit
        self._patch(os, "_exit", self._note_at_once)
        main = sys.modules.get("__main__")
        for name, value in list(vars(main).items()):  # from sys import exit
            if value is plain_exit:
                self._patch(main, name, self._note)
            elif value is plain_os_exit:
                self._patch(main, name, self._note_at_once)

    def _patch(self, owner: Any, name: str, note: Callable[..., None]) -> None:
        before = getattr(owner, name)

        @functools.wraps(before)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            try:
                note(*arguments, **options)
            except Exception:  # noqa: BLE001 - a wrong argument is refused by what is called
                return before(*arguments, **options)
            return before(*arguments, **options)

        setattr(owner, name, wrapper)
        self._patches.append((owner, name, before, wrapper))

    def stop(self) -> None:
        """Restore everything, except where other code has patched on top."""
        self._program = self._last_call = self._raised = None
        self._asked, self._was_asked = None, False
        if self._note in listeners:
            listeners.remove(self._note)
        while self._patches:
            owner, name, before, wrapper = self._patches.pop()
            if getattr(owner, name, None) is wrapper:
                setattr(owner, name, before)

    def end(self) -> ProcessEnd | None:
        """Why the process is about to end with another code than 0; None where it isn't, or nothing is known of it."""
        self._look()
        if self._was_asked and self._raised is not None:
            return self._asked
        if self._raised in (None, _UNKNOWN):
            return None
        return _failure("SystemExit" if self._raised is _DEEP else _exit_reason(self._raised))

    def end_of_child(self) -> ProcessEnd | None:
        """Why a child of `multiprocessing` fails; to be asked when it cleans up, with its exception still in flight."""
        error = sys.exc_info()[1]
        if error is None:
            return None
        if isinstance(error, SystemExit):
            return None if is_exit_without_fault(error.code) else self._failure_of(error.code, error.__context__)
        return self._end_by(error)

    def _note(self, code: object = None) -> None:
        if self._program is None or threading.current_thread() is not threading.main_thread():
            return
        self._was_asked = True
        self._asked = None
        if not is_exit_without_fault(code):
            self._asked = self._failure_of(code, sys.exc_info()[1])

    def _note_at_once(self, status: int) -> None:
        error = sys.exc_info()[1]
        if status == 0:
            self._at_once(None)
        elif error is None or isinstance(error, SystemExit):
            self._at_once(_failure(f"os._exit({status})"))
        else:
            self._at_once(self._end_by(error))

    def _failure_of(self, code: object, handled: BaseException | None) -> ProcessEnd:
        """An exception that is being handled is why; its frames are not kept."""
        if handled is None or isinstance(handled, SystemExit):
            return _failure(_exit_reason(code))
        return self._end_by(handled)

    def _end_by(self, error: BaseException) -> ProcessEnd:
        kind = type(error)
        if is_pruned(kind):
            return ProcessEnd("finished", PRUNED)
        return _failure(reason_of(kind, error), formatted(kind, error, error.__traceback__))

    def _look(self) -> None:
        """See how the program ended, and let go of its last call, before Python waits for other threads."""
        if self._program is not None and not _is_running(self._program):
            self._raised = _raised(self._program, self._last_call)
            exits = list(_exits_in(self._program.f_code)) if self._raised is _DEEP else []
            if exits and all(map(is_exit_without_fault, exits)):
                self._raised = None
            self._program = self._last_call = None


def _failure(reason: str, traceback: str = "") -> ProcessEnd:
    return ProcessEnd("failed", reason, traceback)


def _exit_reason(code: object) -> str:
    return reason_of(SystemExit, SystemExit(code))


def _program() -> tuple[FrameType | None, FrameType | None]:
    """The frame of the module that is the program, and of its last call, after which the process ends.

    They are kept, as they know how they ended. What the module holds lives on anyhow, and what the call holds for as
    long as it takes Python to begin with its end.
    """
    ident = threading.main_thread().ident
    frame = sys._current_frames().get(ident) if ident is not None else None
    program = called = below = None
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            program, called = frame, below
        frame, below = frame.f_back, frame
    if program is None or called is None:
        return program, None
    after = [found.opname for found in dis.get_instructions(program.f_code) if found.offset > program.f_lasti]
    return program, called if _AFTER_A_LAST_CALL.issuperset(after) else None


def _is_running(program: FrameType) -> bool:
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame is not program:
        frame = frame.f_back
    return frame is not None


def _executed(frame: FrameType) -> list[dis.Instruction]:
    """The instructions up to the one at which the frame ended, in the order of the code, without the skipped ones."""
    return [
        found
        for found in dis.get_instructions(frame.f_code)
        if found.offset <= frame.f_lasti and (found.opname not in _SKIPPED or found.offset == frame.f_lasti)
    ]


def _raised(program: FrameType, last_call: FrameType | None) -> object:
    """The code of the `SystemExit` that ended the program.

    None where it ended otherwise, or with the code 0; ``_UNKNOWN`` where the code is computed.
    """
    executed = _executed(program)
    if not executed or executed[-1].opname.startswith("RETURN"):
        return None
    if last_call is not None:
        code = _returned_or_raised(last_call)
    elif executed[-1].opname == "RAISE_VARARGS":
        code = _argument(program, executed[:-1])
    else:
        is_exit_here = any(found.argval in ("exit", "quit") for found in executed[-_NEAR:])
        code = _UNKNOWN if is_exit_here else _DEEP  # sys.exit(not main()) took sys.exit before the run was opened
    return None if is_exit_without_fault(code) else code


def _argument(frame: FrameType, before: list[dis.Instruction]) -> object:
    """The code of the argument of ``raise``: `SystemExit` or a class of the user's, with one argument, or a name."""
    if not before:
        return _UNKNOWN
    if before[-1].opname not in _CALLS:
        raised = _value(frame, before[-1])
        return None if _is_exit(raised) else getattr(raised, "code", _UNKNOWN)
    loaded = [_value(frame, instruction) for instruction in before[-3:-1]]
    if loaded and _is_exit(loaded[-1]):
        return None
    return loaded[1] if len(loaded) > 1 and _is_exit(loaded[0]) else _UNKNOWN


def _exits_in(code: CodeType) -> Iterator[object]:
    """The codes of each ``raise SystemExit(…)`` of a module, also in its functions."""
    found = [instruction for instruction in dis.get_instructions(code) if instruction.opname not in _SKIPPED]
    for place, instruction in enumerate(found):
        before = found[max(0, place - 3) : place] if instruction.opname == "RAISE_VARARGS" else []
        if not any(other.argval == "SystemExit" for other in before):
            continue
        if "SystemExit" in [other.argval for other in before[-2:]]:
            yield None
        else:
            yield before[-2].argval if before[-2].opname in _CONSTANTS else _UNKNOWN
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _exits_in(constant)


def _is_exit(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, SystemExit)


def _returned_or_raised(frame: FrameType) -> object:
    """What `main()` in ``sys.exit(main())`` has returned, or the code of the `SystemExit` that left it."""
    executed = _executed(frame)
    if executed[-1].opname == "RAISE_VARARGS":
        code = _argument(frame, executed[:-1])
        return _DEEP if code is _UNKNOWN else code
    if executed[-1].opname == "RETURN_CONST":
        return executed[-1].argval
    if executed[-1].opname != "RETURN_VALUE":
        return _DEEP
    # A jump leads to the return of `a if b else c`: which of the two was loaded is not to be seen.
    return _UNKNOWN if executed[-1].is_jump_target else _value(frame, executed[-2])


def _value(frame: FrameType, instruction: dis.Instruction) -> object:
    if instruction.opname in _NAMES:
        for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
            if instruction.argval in names:
                return names[instruction.argval]
        return _UNKNOWN
    return instruction.argval if instruction.opname in _CONSTANTS else _UNKNOWN
