"""Who may do what, and which runs there are: tables that an SQLite file or PostgreSQL holds alike."""
