"""Pages for people to look at: the report of an evaluation, and a quiz; each one file that needs no server."""
