"""How a process ends: signals, exit codes, and what becomes of its open runs."""
