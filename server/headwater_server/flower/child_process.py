"""A Flower program that ends with its parent: `python -m headwater_server.flower.child_process PROGRAM PARENT_PID …`.

So no SuperLink outlives its coordinator, also after `kill -9`.
"""

import sys

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Watch the parent, then be the program with the remaining arguments."""
    from flwr.supercore.app_utils import start_parent_process_monitor

    program, parent = arguments[0], int(arguments[1])
    start_parent_process_monitor(parent)
    sys.argv = [program, *arguments[2:]]
    if program == "flower-superlink":
        from flwr.superlink.cli import flower_superlink

        flower_superlink()
    else:
        from flwr.supercore.cli import flower_superexec

        flower_superexec()


if __name__ == "__main__":
    main(sys.argv[1:])
