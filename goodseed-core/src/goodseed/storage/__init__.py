"""The run file: its schema, the inbox before it, its writer, its readers, and the catalog of many."""
