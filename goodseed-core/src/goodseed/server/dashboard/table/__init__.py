"""The runs table: cells, filters and their patterns."""
