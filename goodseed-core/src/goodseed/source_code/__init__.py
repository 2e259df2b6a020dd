"""Stores which code a run ran: facts of its git repository and the uncommitted changes."""

from __future__ import annotations

from goodseed.source_code.collector import GitRef, SourceCode
from goodseed.source_code.facts import collect

__all__ = ["GitRef", "SourceCode", "collect"]
