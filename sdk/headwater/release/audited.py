"""Reading audit.json of a release, and holding it to the manifest."""

from headwater.agreement.charter import Charter
from headwater.audit.expected import Expected, expected_figures
from headwater.errors import InputError, ReleaseRefused
from headwater.release.audit_check import check_audit
from headwater.release.audit_file import PublishedAudit
from headwater.release.evidence import Source
from headwater.release.layout import AUDIT, DATA, MAXIMUM_AUDIT_BYTES
from headwater.release.manifest import Manifest
from headwater.release.verdict import AuditClaim
from headwater.schema.schema import Schema

__all__ = ["read_audit"]


def read_audit(data: bytes, manifest: Manifest, charter: Charter, schema: Schema) -> PublishedAudit:
    """Read audit.json, and check that it is on this release and allows it.

    Args:
        data: of audit.json, whose digest is the manifest's.
        manifest: verified.
        charter: pinned, which the release was made under.
        schema: of the release.

    Raises:
        ReleaseRefused: it is on other rows or another run, its decision does not follow from its policy, a waiver does
            not hold, or the manifest tells something else of it.
    """
    if len(data) > MAXIMUM_AUDIT_BYTES:
        raise ReleaseRefused(f"{AUDIT} has more than {MAXIMUM_AUDIT_BYTES:,} bytes; no release needs that many")
    try:
        audit = PublishedAudit.from_bytes(data)
    except InputError as error:
        raise ReleaseRefused(f"{AUDIT} cannot be believed: {error}") from error
    rows = manifest.file(DATA)
    if rows is None or (audit.candidate, audit.rows) != (rows.sha256, manifest.rows):
        raise ReleaseRefused(f"{AUDIT} is on another table than {DATA}; do not use the release, tell the consortium")
    _check_facts(audit, manifest, charter)
    for signed in audit.waivers:
        if signed.waiver.release != f"{manifest.name}/{manifest.version}":
            raise ReleaseRefused(
                f"a waiver of {signed.waiver.gate} in {AUDIT} is for {signed.waiver.release}, this is {manifest.name}/"
                f"{manifest.version}: nobody answered for it under this name; do not use the release"
            )
    last = audit.attempts[-1]
    if (last.run, last.plan) != (manifest.provenance.run_id, manifest.provenance.plan_digest):
        raise ReleaseRefused(f"the last attempt in {AUDIT} is at another run than the release; do not use the release")
    check_audit(audit, charter.keys, manifest.created, _expected(audit, schema))
    if AuditClaim.of(audit) != manifest.protection.audit:
        raise ReleaseRefused(
            f"the manifest tells something else of the audit than {AUDIT} does; do not use the release"
        )
    return audit


def _expected(audit: PublishedAudit, schema: Schema) -> tuple[Expected, ...]:
    if audit.scope is None:
        raise ReleaseRefused(f"{AUDIT} does not say which groups, secrets and tasks were declared; do not use it")
    try:
        return expected_figures(schema, audit.scope.settings)
    except InputError as error:
        raise ReleaseRefused(f"{AUDIT} declares what the release's schema does not have: {error}") from error


def _check_facts(audit: PublishedAudit, manifest: Manifest, charter: Charter) -> None:
    if audit.federation == "none":
        raise ReleaseRefused(f"{AUDIT} is of plain files and not of a federation's release; do not use the release")
    if audit.federation.organisations != manifest.provenance.organisations or audit.federation.organisations > len(
        charter.members
    ):
        raise ReleaseRefused(f"{AUDIT} is on a run of other organisations than the release; do not use it")
    source: Source = "pooled sums of organisations" if audit.privacy == "none" else "each organisation for itself"
    if audit.source != source or audit.organisations > audit.federation.organisations:
        raise ReleaseRefused(
            f"{AUDIT} counts rows of {audit.source}, a release of this kind has {source}; do not use the release"
        )
    # Under a budget nobody counts for others; without one, figures that no sum is named for are anybody's.
    if (audit.federation.attacked is None) != (audit.privacy != "none"):
        raise ReleaseRefused(f"{AUDIT} does not name the sum that its figures are from, or one too many; do not use it")
    claim, facts = manifest.protection.privacy, audit.privacy
    if claim == "none" or facts == "none":
        if (claim == "none") != (facts == "none"):
            raise ReleaseRefused(f"{AUDIT} and the release contradict each other on whether there is an ε")
        return
    if (claim.epsilon, claim.delta, claim.unit, len(claim.events)) != (
        facts.epsilon,
        facts.delta,
        facts.unit,
        facts.events,
    ):
        raise ReleaseRefused(f"{AUDIT} is on another ε than the release claims; do not rely on it")
