"""Generated from protos/headwater/rpc/v1 by tools/gen_protos.py; never edited by hand."""
