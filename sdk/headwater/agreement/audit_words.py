"""What a plan's audit does, in plain words for whoever drafts, reads or approves it."""

from headwater.agreement.plan import Plan

__all__ = ["audit_in_words"]

_NO_AUDIT = (
    "none — nobody attacks the synthetic rows before they are released; a plan with an audit says `[audit]` with the "
    'policy that judges it, such as policy = "standard"'
)


def audit_in_words(plan: Plan) -> str:
    """What is audited, where, and what of it leaves an organisation: one sentence or two."""
    if plan.audit == "none":
        return _NO_AUDIT
    settings = plan.audit.settings
    declared = [
        f"declared {what} {', '.join(names)}"
        for what, names in (("groups", settings.groups), ("secrets", settings.secrets), ("tasks", settings.tasks))
        if names
    ]
    planted = (
        [f"{settings.canaries:,} made-up rows, of which half are planted among training rows"]
        if settings.canaries
        else []
    )
    tried = "; ".join([f"at most {settings.attacks:,} attacks of each kind", *declared, *planted])
    if plan.privacy == "none":
        return (
            f"policy {plan.audit.policy}: when the generator is done, the coordinator samples the rows that may be "
            "released, every organisation attacks them with its own training rows and with those that it kept aside, "
            f"and one more secure sum adds up what all of them counted ({tried})"
        )
    return (
        f"policy {plan.audit.policy}: when the generator is done, the coordinator samples the rows that may be "
        "released; nothing that is counted on real rows leaves an organisation, since it would be outside ε, and each "
        f"audits the rows for itself before it signs ({tried})"
    )
