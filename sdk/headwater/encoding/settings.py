"""Numbers of the encoding that a plan may set."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["EncodingSettings"]


class EncodingSettings(BaseModel):
    """How columns become codes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    grid_cells: int = Field(default=4096, ge=16, le=65536, description="cells of a numeric column's public grid")
    histogram_budget: int = Field(
        default=1_000_000,
        ge=1024,
        le=2**26,
        description="cells of all columns' grids together, but for those of single values in wide columns",
    )
    numeric_codes: int = Field(
        default=32,
        ge=2,
        le=256,
        description="most codes of a numeric column; under a privacy budget about as many, more where noise leaves "
        "them apart",
    )
    rows_per_code: int = Field(
        default=40, ge=1, le=2**31, description="small tables get fewer codes: rows / this, 6 at least"
    )
    codes_budget: int = Field(
        default=4096, ge=64, le=2**20, description="codes of all columns together: wide tables get fewer"
    )
    category_limit: int = Field(default=100, ge=4, le=10_000, description="more categories share hashed buckets")
