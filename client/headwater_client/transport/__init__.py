"""The organisation's side of the gRPC services: it dials out, and never listens."""

import os

# gRPC writes every failed handshake to standard error, beside the one line that a person should read. It reads the
# variable when it is first imported, which happens in this package's modules.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
