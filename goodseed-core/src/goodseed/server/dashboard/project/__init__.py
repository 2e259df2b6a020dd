"""What the dashboard knows of the runs of a project between requests: their columns, their changes, open files."""
