"""The child process that is a Flower SuperNode: `python -m headwater_client.flower.supernode_process PARENT_PID …`.

It ends when its parent does, also after `kill -9`, so that no SuperNode outlives its agent.
"""

import sys

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Watch the parent, then be `flower-supernode` with the remaining arguments."""
    from flwr.supercore.app_utils import start_parent_process_monitor
    from flwr.supernode.cli.flower_supernode import flower_supernode

    start_parent_process_monitor(int(arguments[0]))
    sys.argv = ["flower-supernode", *arguments[1:]]
    flower_supernode()


if __name__ == "__main__":
    main(sys.argv[1:])
