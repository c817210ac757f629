"""What `headwater-org release` shows of a release and of what was said of it."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

from headwater_client.cli.text import shown

if TYPE_CHECKING:
    from headwater.agreement.release_decision import SignedReleaseDecision
    from headwater.release.policy.decision import Decision
    from headwater_client.own_audit import OwnAudit
    from headwater_client.release_decisions import ReleaseReview
    from headwater_client.transport.releases import ReleaseStatus

__all__ = ["said_before", "show_review", "stands", "undecided"]

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "inconclusive": "magenta", "not applicable": "dim"}


def said_before(before: "SignedReleaseDecision | None") -> str:
    """What this organisation said of a release before, as a sentence; empty for nothing."""
    if before is None:
        return ""
    said = before.decision
    word = "approved" if said.decision == "approve" else "refused"
    why = f" ({shown(said.reason)})" if said.reason else ""
    return f"You {word} release {said.release_digest[:16]} on {said.created}{why}."


def stands(status: "ReleaseStatus") -> str:
    """Where a release is and who signed it, after "it"."""
    return f"is {shown(status.state)}: {shown(status.detail)}."


def undecided(own: "OwnAudit", common: "Decision") -> str:
    """What the own rows left open, in one line, and what nobody decided then; empty for nothing."""
    if not own.undecided:
        return ""
    nothing = own.decides_nothing
    what = "decide nothing" if nothing else f"do not decide {', '.join(own.undecided)}"
    open_too = [gate for gate in common.gates if gate.gate in own.undecided and gate.outcome == "inconclusive"]
    if open_too:
        answered = " though others answer for it by name" if all(gate.waived for gate in open_too) else ""
        return (
            f"Your own rows are too few and {what}. The sums of all organisations did not decide "
            f"{', '.join(gate.gate for gate in open_too)} either: nobody has shown it of this table{answered}."
        )
    return (
        f"Your own rows are too few and {what}: that is no objection, as the sums of all organisations were judged"
        f"{', and no word for the release either' if nothing else ''}."
    )


def show_review(console: Console, review: "ReleaseReview", home: Path) -> None:
    """Show a release, the gate, the own audit, and how to sign or refuse."""
    from headwater.agreement.generator_terms import generator_in_words
    from headwater.release.decision_words import verdict_in_words
    from headwater.release.statement import headline
    from headwater_client.wording import digest_in_groups

    release, manifest = review.release, review.release.manifest
    console.print(f"[bold]{shown(manifest.title)}[/bold] ({manifest.name} version {manifest.version})")
    facts = Grid.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    # Names and ids are typed elsewhere: a long one goes on in the next line and is never cut.
    facts.add_column(overflow="fold")
    facts.add_row("digest", digest_in_groups(release.digest))
    facts.add_row("rows", f"{manifest.rows:,} synthetic rows of {manifest.columns} columns")
    facts.add_row("run", f"{manifest.provenance.run_id} of plan {release.plan.name}, which you approved")
    facts.add_row("privacy", headline(manifest.protection.privacy))
    terms = manifest.generator
    facts.add_row("generator", f"{terms}: {generator_in_words(terms)}")
    for more in manifest.configurations:
        facts.add_row(more.name, f"{more.rows:,} rows: {shown(more.description)}")
    facts.add_row("gate", verdict_in_words(release.audit.decision))
    facts.add_row("attempts", shown(review.attempts))
    if review.attacked:
        facts.add_row("rows attacked", shown(review.attacked))
    facts.add_row("standing", shown(review.status.detail))
    console.print(facts)
    console.print(f"files in {release.folder}", soft_wrap=True, markup=False)
    apart = release.plan.privacy != "none"
    title = "What the gate says without any row" if apart else "What all organisations' sums say"
    _show_gates(console, title, release.audit.decision)
    if review.rows_told:
        console.print(review.rows_told, style="yellow", soft_wrap=True, markup=False)
    if review.own is None:
        console.print("No audit by your own rows yet: give --data before you sign.", style="yellow")
    else:
        _show_own(console, review, home)
    if review.status.state == "waiting":
        console.print(
            f"To sign: headwater-org release approve {manifest.name}/{manifest.version} "
            f"--digest {release.digest[:16]}\n"
            f"Else:    headwater-org release refuse {manifest.name}/{manifest.version} --reason TEXT",
            soft_wrap=True,
        )


def _show_gates(console: Console, title: str, decision: "Decision") -> None:
    from headwater.release.decision_words import UNPROVEN, gate_lines

    grid = Grid(Column("gate", no_wrap=True), "what it asks about", "outcome", "why", title=title)
    for line in gate_lines(decision):
        colour = "yellow" if line.outcome == UNPROVEN else _COLOURS[line.outcome.partition(",")[0]]
        grid.add_row(line.gate, line.title, f"[{colour}]{line.outcome}[/{colour}]", shown(line.why))
    console.print(grid)


def _show_own(console: Console, review: "ReleaseReview", home: Path) -> None:
    own = review.own
    if own is None:
        return
    from headwater.release.decision_words import gate_lines

    grid = Grid(
        Column("check", overflow="fold"),
        "value",
        "interval",
        "no leak",
        title="What your own rows say, for your eyes only",
    )
    for measure in own.document.evidence.measures:
        if measure.value is None:
            grid.add_row(shown(measure.name), "–", "", shown(measure.reason), style="dim")
            continue
        ends = "" if measure.low is None or measure.high is None else f"{measure.low:.3f} … {measure.high:.3f}"
        null = "" if measure.null is None else f"{measure.null:.3f}"
        grid.add_row(shown(measure.name), f"{measure.value:.3f}", ends, null)
    console.print(grid)
    told = {line.gate: line.outcome for line in gate_lines(own.document.decision)}
    said = [f"{gate} {told[gate]}" for gate, verdict in own.verdicts.items() if verdict != "not applicable"]
    console.print(f"By your own rows: {'; '.join(said) or 'nothing to say'}.", soft_wrap=True)
    if own.unshown:
        console.print("Your rows are too few to show, and under the budget nobody else can:", style="yellow")
        for line in own.unshown:
            console.print(f"  {shown(line)}", soft_wrap=True)
    if not own.unshown and (line := undecided(own, review.release.audit.decision)):
        console.print(line, style="yellow", soft_wrap=True, markup=False)
    if own.failing:
        console.print(
            f"[bold red]Your own audit FAILS {', '.join(own.failing)}: refuse, or ask the others what they "
            "found.[/bold red]",
            soft_wrap=True,
        )
    kept = home / "releases" / review.release.digest / "audit-internal.json"
    console.print(f"Every figure is in {kept}, which only you can read.", soft_wrap=True, markup=False)
