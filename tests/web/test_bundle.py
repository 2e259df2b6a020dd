"""The page's files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import goodseed

WEB = Path(goodseed.__file__).parent / "web"
_LINKED = re.compile(r'(?:src|href)="/(assets/[^"]+\.(?:js|css))"')
_IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+\.js)"')


def _with_imports(files: set[Path]) -> set[Path]:
    """The files, and all that their scripts ask for before they run."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += [file.parent / name for name in _IMPORTED.findall(file.read_text(encoding="utf-8"))]
    return found


def _size(files: set[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)


def test_page_is_small() -> None:
    """What any page needs before it is drawn, JavaScript and CSS together, takes at most 100 kB on the wire."""
    first = {WEB / name for name in _LINKED.findall((WEB / "index.html").read_text(encoding="utf-8"))}
    assert {file.suffix for file in first} == {".js", ".css"}
    scripts = [file for file in WEB.rglob("*.js") if file not in first]

    assert _size(_with_imports(first)) <= 100_000
    for page in scripts:
        assert _size(_with_imports(first | {page})) <= 100_000, page.name


def test_page_has_no_inline_script() -> None:
    """The page holds to a content security policy without unsafe-inline."""
    index = (WEB / "index.html").read_text(encoding="utf-8")
    assert "<style" not in index
    assert "onload=" not in index
    assert index.count("<script") == index.count('<script type="module" crossorigin src=')
