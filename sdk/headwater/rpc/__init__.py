"""What client and server share of gRPC: generated code, certificates, the table of statuses."""
