"""The runs table: columns, cells, filters and their patterns."""
