"""Pages for people: the report of an evaluation, and a quiz. Each is one file that needs no server."""
