"""The generator of a release that waits: read as its readers would, held to the run, attacked with the own rows."""

import time

from headwater.audit.membership.latent import LatentAttack
from headwater.audit.running import Found, Watcher, run_checks
from headwater.errors import InputError, ReleaseRefused
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.settings import AuditSettings
from headwater.generator.bundle import Bundle
from headwater.release.layout import GENERATOR
from headwater.schema.table import Table
from headwater_client.waiting_release import WaitingRelease

__all__ = ["attack_generator", "released_bundle"]


def released_bundle(release: WaitingRelease) -> Bundle | None:
    """The generator that a release would publish; None where it publishes none.

    Raises:
        ReleaseRefused: it cannot be read, holds more than a generator and its encoding, or is of another schema than
            the approved plan.
    """
    manifest = release.manifest
    if manifest.generator != "released":
        return None
    digest = manifest.provenance.generator_digest
    try:
        bundle = Bundle.load(release.folder / GENERATOR, digest)
    except InputError as error:
        raise ReleaseRefused(f"the generator of the release cannot be read ({error}); refuse the release") from error
    # Written anew from what was read it has the same bytes: no optimiser's state, seed or row is hidden in it.
    if bundle.digest != digest:
        raise ReleaseRefused("generator/ holds more than a generator and its encoding; refuse the release")
    if bundle.encoding.schema.digest != release.plan.schema_.digest:
        raise ReleaseRefused("the generator is of another schema than the approved plan's; refuse the release")
    return bundle


def attack_generator(
    bundle: Bundle, train: Table, holdout: Table, candidate: Table, settings: AuditSettings, seed: int, watcher: Watcher
) -> Found:
    """Ask the generator itself which rows it was fitted to: whoever downloads it can.

    Args:
        bundle: of the release.
        train: this organisation's rows that trained.
        holdout: its rows that nothing used.
        candidate: the synthetic rows of the release.
        settings: of the plan's audit.
        seed: of all chance, which the coordinator must not know.
        watcher: told when the attack begins and ends.
    """
    check = LatentAttack(Candidate(candidate), settings, bundle.sampler, bundle.encoding)
    return run_checks((check,), AuditRows(train, holdout), seed, time.process_time, watcher)
