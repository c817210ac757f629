"""Rows of a dataset as a torch `Dataset` of tensors by column."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.utils.data import Dataset

from headwater.errors import InputError

__all__ = ["TableDataset", "tensors_of"]


class TableDataset(Dataset[dict[str, Tensor]]):
    """Rows whose columns are tensors of one length; a `DataLoader` makes batches of it.

    Attributes:
        columns: by name; each of shape (rows,), or (rows, pixels) for an image.
        categories: for each categorical column, the text of every code.
    """

    def __init__(self, columns: Mapping[str, Tensor], categories: Mapping[str, Sequence[str]]) -> None:
        """Of tensors with the same first dimension.

        Raises:
            InputError: there is no column, or they differ in length.
        """
        if len({tensor.shape[0] for tensor in columns.values()}) != 1:
            raise InputError("the columns of a dataset have one length; give at least one column, all of the same rows")
        self.columns = dict(columns)
        self.categories = {name: tuple(texts) for name, texts in categories.items()}

    def __len__(self) -> int:
        """Rows."""
        return int(next(iter(self.columns.values())).shape[0])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One row, by column."""
        return {name: tensor[index] for name, tensor in self.columns.items()}

    def matrix(self, names: Sequence[str]) -> Tensor:
        """Columns side by side, shape (rows, columns), float32; codes of categories as numbers.

        Raises:
            InputError: there is no such column, or it is an image.
        """
        for name in names:
            if name not in self.columns or self.columns[name].dim() != 1:
                raise InputError(f"{name!r} is no column of single values; there are {', '.join(self.columns)}")
        return torch.stack([self.columns[name].float() for name in names], dim=1)


def tensors_of(table: pa.Table, categories: Mapping[str, Sequence[str]]) -> TableDataset:
    """An Arrow table as tensors.

    Args:
        table: int64, float64, date32, text, booleans, or lists of pixels.
        categories: texts of each categorical column in the order of their codes, so that the same text has the same
            code in every part of a dataset; of columns that are not named, the texts that occur, sorted.

    Returns:
        Texts as int64 codes, -1 for missing; whole numbers as int64, as float32 with NaN where some are missing; other
        numbers as float32, NaN for missing; dates as days since 1970, as whole numbers; pixels as uint8.

    Raises:
        InputError: a column has another type, or a text that is none of its categories.
    """
    columns: dict[str, Tensor] = {}
    texts: dict[str, Sequence[str]] = {}
    for name in table.column_names:
        array = table.column(name).combine_chunks()
        if pa.types.is_string(array.type) or pa.types.is_dictionary(array.type):
            array = array.cast(pa.string())
            texts[name] = categories.get(name) or sorted(
                each for each in array.unique().to_pylist() if each is not None
            )
            columns[name] = _codes(name, array, texts[name])
        elif pa.types.is_fixed_size_list(array.type):
            pixels = np.array(array.flatten().to_numpy(zero_copy_only=False), dtype=np.uint8)
            columns[name] = torch.from_numpy(pixels.reshape(len(array), -1))
        else:
            columns[name] = _numbers(name, array)
    return TableDataset(columns, texts)


def _codes(name: str, array: pa.Array, texts: Sequence[str]) -> Tensor:
    found = pc.index_in(array, value_set=pa.array(texts, pa.string()))
    if found.null_count != array.null_count:
        raise InputError(f"column {name!r} has a text that is none of its {len(texts)} categories")
    return torch.from_numpy(np.array(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64))


def _numbers(name: str, array: pa.Array) -> Tensor:
    if pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        raise InputError(f"column {name!r} holds {array.type}, which has no tensor; leave it out of columns=[…]")
    whole = pa.types.is_integer(array.type) and array.null_count == 0
    values = array.to_numpy(zero_copy_only=False)
    return torch.from_numpy(np.array(values, dtype=np.int64 if whole else np.float32))
