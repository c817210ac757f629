"""The coordinator's side of a session."""
