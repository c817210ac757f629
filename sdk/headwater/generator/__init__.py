"""The shared generator: its networks, fit, local training, sampling and form on disk. torch lives here."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.generator.table_generator import TableGenerator, load_generator
    from headwater.schema.condition import Between

__all__ = ["Between", "TableGenerator", "load_generator"]


def __getattr__(name: str) -> object:
    # torch is loaded by the first generator, not by every import of a room's part.
    if name in {"TableGenerator", "load_generator"}:
        from headwater.generator import table_generator

        return getattr(table_generator, name)
    if name == "Between":
        from headwater.schema.condition import Between

        return Between
    raise AttributeError(f"module 'headwater.generator' has no attribute {name!r}")
