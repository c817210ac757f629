"""Sampling the rows that may be released, at the coordinator."""

import math

from headwater.audit.checks import federated_checks
from headwater.contribution.auditing import sizes_of
from headwater.errors import HeadwaterError
from headwater.evidence.candidate import Candidate
from headwater.evidence.candidate_file import pack_candidate, read_candidate
from headwater.generator.sampler import read_sampler
from headwater.recipe.actions import ModelReport, Sample
from headwater.recipe.task import seed_for
from headwater.schema.table import Table

__all__ = ["sample_candidate"]

_BATCH = 8192


def sample_candidate(action: Sample, *, device: str = "auto") -> tuple[bytes, ModelReport]:
    """Sample, and find which checks will count.

    Whatever goes wrong is the answer and no error: the run keeps its generator, and nothing is released.

    Args:
        action: of the recipe.
        device: "auto", "cpu" or "cuda".

    Returns:
        The candidate's bytes with its rows and checks; or b"" and why there is none.
    """
    schema = action.encoding.schema
    try:
        sampler = read_sampler(action.model)
        batches = sampler.tables(
            action.encoding, action.rows, seed_for(action.seed, "codes"), batch_size=_BATCH, device=device
        )
        data = pack_candidate(Table.concat(list(batches)))
        # As an organisation reads it: what it would refuse is never asked.
        table = read_candidate(data, schema)
        checks = () if action.settings is None else federated_checks(Candidate(table), action.settings)
        said: dict[str, object] = {"rows": table.rows, "checks": [[*each] for each in sizes_of(checks)]}
    except HeadwaterError as error:
        return b"", ModelReport(math.inf, 0, {}, {"failed": str(error)})
    except Exception as error:  # noqa: BLE001  a generator that breaks fails its own audit, not the run
        return b"", ModelReport(math.inf, 0, {}, {"failed": f"sampling broke ({type(error).__name__})"})
    return data, ModelReport(0.0, 0, {}, said)
