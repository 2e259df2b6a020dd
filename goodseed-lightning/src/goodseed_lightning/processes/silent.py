"""Replaces ``logger.experiment`` on every rank but the first: accepts every call, stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SilentRun"]


class SilentRun:
    """Takes every call that a run takes, and does nothing: each attribute, item and result is the object itself."""

    def __getattr__(self, name: str) -> SilentRun:
        if name.startswith("__"):  # copy, pickle and others ask for what they handle otherwise
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **__: object) -> SilentRun:  # noqa: D102 - said in the class
        return self

    def __getitem__(self, path: object) -> SilentRun:
        return self

    def __setitem__(self, path: object, value: object) -> None:
        return

    def __iter__(self) -> Iterator[SilentRun]:
        return iter(())

    def __enter__(self) -> SilentRun:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<goodseed: no run on this rank>"
