"""Messages as bytes: layouts, envelopes, chunks."""
