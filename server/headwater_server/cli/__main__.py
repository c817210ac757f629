"""`python -m headwater_server.cli` is `headwater-coordinator`."""

from headwater_server.cli import main

main()
