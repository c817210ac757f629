"""Where the coordinator's commands find how rows are written; researchers' commands write the same way."""

from headwater.generator.row_file import FORMATS, check_target, write_rows

__all__ = ["FORMATS", "check_target", "write_rows"]
