"""How many bytes a machine holds on to, so that tests can bound what a hostile peer makes it keep."""

from collections import deque
from collections.abc import Mapping
from types import FunctionType, MethodType, ModuleType

import numpy as np

__all__ = ["bytes_held"]


def bytes_held(machine: object) -> int:
    """Bytes of all binary data, arrays and texts that can be reached from an object, each counted once.

    What is inside an object of compiled code, such as a private key, is not seen: those have fixed sizes.
    """
    total, seen, waiting = 0, set[int](), deque([machine])
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, type | ModuleType | FunctionType):
            continue
        seen.add(id(found))
        match found:
            case bytes() | bytearray() | str():
                total += len(found)
            case memoryview():
                total += found.nbytes
            case np.ndarray():
                total += found.nbytes
            case Mapping():
                waiting.extend(found.keys())
                waiting.extend(found.values())
            case list() | tuple() | set() | frozenset() | deque():
                waiting.extend(found)
            case MethodType():
                waiting.append(found.__self__)
            case _:
                waiting.extend(getattr(found, "__dict__", {}).values())
                slots = [name for kind in type(found).__mro__ for name in getattr(kind, "__slots__", ())]
                waiting.extend(getattr(found, name, None) for name in slots)
    return total
