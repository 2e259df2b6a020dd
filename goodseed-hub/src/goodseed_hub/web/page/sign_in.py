"""Serves the sign-in page, which takes an API key."""

from __future__ import annotations

from html import escape
from typing import Final

__all__ = ["STYLE", "again_page", "sign_in_page"]

STYLE: Final = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { display: grid; place-items: center; min-height: 90vh; margin: 0; }
main { width: min(24rem, 90vw); }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin-top: .5rem; padding: .5rem .75rem; border-radius: .375rem; border: 1px solid GrayText; }
button { margin-top: 1rem; cursor: pointer; }
p { color: GrayText; }
.problem { color: #c0392b; }
"""
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in · Goodseed</title>
<link rel="stylesheet" href="/login.css">
<main>
<h1>Goodseed</h1>
{problem}
<form method="post" action="/login">
<label>API key <input name="key" type="password" autocomplete="current-password" required autofocus></label>
<input type="hidden" name="next" value="{next}">
<button>Sign in</button>
</form>
<p>An admin makes keys with <code>goodseed hub keys create</code>.</p>
</main>
</html>
"""
_AGAIN: Final = """\
<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0">
<title>Goodseed</title>
"""


def sign_in_page(next_path: str, problem: str = "") -> bytes:
    """The page; ``next_path`` is where to go afterwards."""
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _PAGE.format(problem=shown, next=escape(next_path, quote=True)).encode()


def again_page() -> bytes:
    """A page that loads itself again: the browser keeps the cookie back when a link elsewhere led here."""
    return _AGAIN.encode()
