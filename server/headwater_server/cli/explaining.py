"""`plan explain`: what a plan costs the people behind the rows, before anything runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.agreement.charter import Charter
    from headwater.agreement.cost import PlanCost
    from headwater.agreement.plan import Plan

__all__ = ["explain", "print_audit", "print_privacy"]


def explain(
    plan: Annotated[Path, typer.Argument(help="The plan, TOML.")],
    organisations: Annotated[
        int | None,
        typer.Option(help="How many share the noise; the charter's members, else the plan's smallest cohort."),
    ] = None,
    home: HomeOption = Path("coordinator"),
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")] = False,
) -> None:
    """Say what a plan costs the people behind the rows: round by round, in all, and for one run more.

    Nothing runs and nothing is spent. ε is told by the accountant that organisations, releases and `headwater verify`
    use; the noise of each organisation depends on how many share it. A person with records at several organisations
    costs more, unless the charter in --home declares that there is none.
    """
    from rich.console import Console
    from rich.markup import escape

    from headwater_server.cost_words import guesses_in_words
    from headwater_server.plan_file import read_plan

    document = read_plan(plan)
    charter = _charter(home)
    members = _organisations(organisations, charter, document)
    disjoint_people = charter is not None and charter.disjoint_people
    if as_json:
        typer.echo(json.dumps(_facts(document, members, disjoint_people=disjoint_people)))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{document.name}[/bold], plan {document.digest}", soft_wrap=True)
    print_privacy(console, document, members, disjoint_people=disjoint_people)
    print_audit(console, document)
    if guesses := guesses_in_words(document.schema_):
        console.print(f"[bold yellow]It cannot be proposed yet:[/bold yellow] {escape(guesses)}", soft_wrap=True)


def print_audit(console: "Console", plan: "Plan") -> None:
    """Print what is attacked before anything of a run may be released."""
    from rich.markup import escape

    from headwater.agreement.audit_words import audit_in_words
    from headwater.agreement.generator_terms import generator_in_words

    console.print(f"audit: {escape(audit_in_words(plan))}", soft_wrap=True, highlight=False)
    terms = plan.release.generator
    console.print(f"generator: {terms}: {generator_in_words(terms)}", soft_wrap=True, highlight=False)


def print_privacy(console: "Console", plan: "Plan", organisations: int, *, disjoint_people: bool = False) -> None:
    """Print what a plan costs, or why no number says it.

    Args:
        console: to print on.
        plan: with a budget or without.
        organisations: that share the noise.
        disjoint_people: the charter declares that nobody's records are at more than one of them.

    Raises:
        InputError: so few organisations cannot share the noise, or it is more than can be drawn.
    """
    from rich.markup import escape

    from headwater.agreement.cost import plan_cost
    from headwater.privacy.words import NOT_PRIVATE, budget_in_words
    from headwater_server.cost_words import cost_in_words, no_budget_in_words

    if plan.privacy == "none":
        first, *others = no_budget_in_words(plan)
        said = first.replace(NOT_PRIVATE, f"[bold red]{NOT_PRIVATE}[/bold red]", 1)
        console.print(f"privacy: {said}.", soft_wrap=True, highlight=False)
        for line in others:
            console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
        return
    cost = plan_cost(plan, organisations, disjoint_people=disjoint_people)
    console.print(f"privacy: [bold]{escape(budget_in_words(plan.privacy))}[/bold]", soft_wrap=True, highlight=False)
    _print_rounds(console, cost)
    for subject, sentences in cost_in_words(cost, plan.paid_repeats):
        console.print(f"[bold]{subject}[/bold]", highlight=False)
        for sentence in sentences:
            console.print(f"  {sentence}", soft_wrap=True, highlight=False, markup=False)


def _print_rounds(console: "Console", cost: "PlanCost") -> None:
    from rich.table import Table

    from headwater.privacy.words import rounded_up
    from headwater_server.cost_words import STEP_WORDS

    table = Table(title="What is counted, and the noise on each count (σ in rows)", title_justify="left")
    table.add_column("round", justify="right")
    table.add_column("what is counted")
    for heading in (
        "tables", "cells ≤", _certain(cost), f"σ each of {cost.organisations}", f"σ all {cost.organisations}",
        "ρ (zCDP)", "share", "ε so far",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for number, each in enumerate(cost.rounds, start=1):
        table.add_row(
            str(number), STEP_WORDS[each.step], f"{each.tables:,}", f"{each.cells:,}", f"{each.deviation:,.1f}",
            f"{each.deviation_each:,.1f}", f"{each.deviation_sum:,.1f}", f"{each.rho:.3g}", f"{each.share:.0%}",
            f"{rounded_up(each.epsilon):g}",
        )  # fmt: skip
    if cost.reserve_share:
        table.add_row(
            "", "held back for aborted sums", "", "", "", "", "", f"{cost.rho * cost.reserve_share:.3g}",
            f"{cost.reserve_share:.0%}", f"{rounded_up(cost.epsilon):g}",
        )  # fmt: skip
    console.print(table)


def _certain(cost: "PlanCost") -> str:
    """Over the noise that ε counts on: whoever may take theirs away is named."""
    return "σ certain" if cost.budget.mode == "local" else f"σ certain (if {cost.colluders} colludes)"


def _facts(plan: "Plan", organisations: int, *, disjoint_people: bool) -> dict[str, object]:
    from headwater.agreement.audit_words import audit_in_words
    from headwater.agreement.cost import plan_cost
    from headwater_server.cost_words import cost_in_words, no_budget_in_words

    head = {
        "name": plan.name,
        "plan_digest": plan.digest,
        "audit": audit_in_words(plan),
        "generator": plan.release.generator,
    }
    if plan.privacy == "none":
        return {**head, "private": False, "words": list(no_budget_in_words(plan))}
    cost = plan_cost(plan, organisations, disjoint_people=disjoint_people)
    words = {subject: list(sentences) for subject, sentences in cost_in_words(cost, plan.paid_repeats)}
    return {**head, "private": True, **cost.to_document(), "words": words}


def _organisations(given: int | None, charter: "Charter | None", plan: "Plan") -> int:
    from headwater.errors import InputError
    from headwater.secagg.protocol.terms import cohort_problem

    if given is not None:
        if problem := cohort_problem(given, plan.aggregation.minimum_cohort, plan.colluders):
            raise InputError(f"so many organisations cannot run this plan: {problem}; say another --organisations")
        return given
    return plan.aggregation.minimum_cohort if charter is None else len(charter.members)


def _charter(home: Path) -> "Charter | None":
    """The charter that new runs stand under; None where there is no coordinator, or none is in force yet."""
    from headwater_server.runs.charters import charter_for_new_runs

    place = open_home(home)
    if not (place.folder / "settings.toml").is_file():
        return None
    storage = open_storage(place)
    try:
        return charter_for_new_runs(storage) if storage.charters_in_force() else None
    finally:
        storage.close()
