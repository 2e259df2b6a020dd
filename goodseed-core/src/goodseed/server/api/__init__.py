"""The specification's JSON API, and the queries behind it."""
