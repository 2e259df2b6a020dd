"""The page's files."""

from __future__ import annotations

import gzip
from pathlib import Path

import goodseed

WEB = Path(goodseed.__file__).parent / "web"


def test_page_is_small() -> None:
    """JavaScript and CSS together take at most 100 kB on the wire."""
    files = [path for path in WEB.rglob("*") if path.suffix in (".js", ".css")]
    assert files
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) <= 100_000


def test_page_has_no_inline_script() -> None:
    """The page holds to a content security policy without unsafe-inline."""
    index = (WEB / "index.html").read_text(encoding="utf-8")
    assert "<style" not in index
    assert "onload=" not in index
    assert index.count("<script") == index.count('<script type="module" crossorigin src=')
