"""The JSON API over a directory of runs, and the page on top of it."""
