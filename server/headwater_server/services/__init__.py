"""The coordinator's gRPC services: shells that authenticate, move bytes and hold no rule of their own."""

import os

# gRPC writes every failed handshake of a stranger to standard error; what matters is logged by the services. It
# reads the variable when it is first imported, which happens in this package's modules.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
