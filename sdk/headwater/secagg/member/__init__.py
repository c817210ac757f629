"""An organisation's side of a session."""
