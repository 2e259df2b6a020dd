"""Buckets of a series at any zoom: what is computed, what is kept, what has changed since."""
