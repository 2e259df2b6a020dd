"""The specification's JSON API."""
