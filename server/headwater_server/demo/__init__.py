"""A whole consortium on one machine: separate processes, real TLS, real Flower, real masks."""
