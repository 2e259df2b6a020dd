"""The crash-proof inbox: from a log call to the writer, and after a crash back into the file."""
