"""A released generator held to what was agreed and signed, without loading it."""

import json
from pathlib import Path

from headwater.agreement.generator_terms import GeneratorTerms, within
from headwater.errors import ReleaseRefused
from headwater.release.layout import GENERATOR
from headwater.release.manifest import BUNDLE, GENERATOR_FILES, Manifest
from headwater.release.policy.document import Policy

__all__ = ["check_bundle", "check_terms", "most_terms"]

_MOST_BYTES = 2**16


def most_terms(policy: Policy, *, private: bool) -> GeneratorTerms:
    """The most that a release may give of its generator.

    Args:
        policy: that judged its rows.
        private: whether the run claims differential privacy. Without it nothing is given: rows beyond those that were
            attacked, and weights, answer questions that nobody asked of them.
    """
    return policy.generator if private else "kept"


def check_terms(manifest: Manifest, policy: Policy | None) -> None:
    """Refuse a release that gives more of its generator than may be given.

    Args:
        manifest: verified.
        policy: that judged; None for a release that was not audited.

    Raises:
        ReleaseRefused: its terms go beyond the policy or its privacy, or rows are beside it that its terms do not give.
    """
    private = manifest.protection.privacy != "none"
    most: GeneratorTerms = "kept" if policy is None else most_terms(policy, private=private)
    if not within(manifest.generator, most):
        judged = "an audit that was never made" if policy is None else f"policy {policy.label}"
        under = "with" if private else "without"
        raise ReleaseRefused(
            f"the release says that its generator is {manifest.generator}; {judged} lets it be at most {most} {under} "
            "differential privacy; do not use it, tell the consortium"
        )
    if manifest.configurations and manifest.generator == "kept":
        raise ReleaseRefused(
            f"{manifest.configurations[0].path} holds more rows of a generator that is kept: nobody attacked them; do "
            "not use the release"
        )


def check_bundle(folder: Path, manifest: Manifest) -> None:
    """Check that the generator in a release is the one that its rows are from, byte for byte.

    The manifest, and so everybody who signed it, names the digest of bundle.json, which names those of the other files.

    Args:
        folder: of the release, every file of which is the manifest's.
        manifest: verified.

    Raises:
        ReleaseRefused: generator/ holds another generator.
    """
    if manifest.generator != "released":
        return
    entries = {path: manifest.file(path) for path in GENERATOR_FILES}
    with (folder / BUNDLE).open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    try:
        named = dict(json.loads(data)["files"]) if len(data) <= _MOST_BYTES else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        named = {}
    signed = {
        path.removeprefix(f"{GENERATOR}/"): entry.sha256
        for path, entry in entries.items()
        if entry is not None and path != BUNDLE
    }
    if named != signed:
        raise ReleaseRefused(
            f"{BUNDLE} names other files than {GENERATOR}/ holds: that is not the generator which the rows are from; "
            "do not use the release, tell the consortium"
        )
