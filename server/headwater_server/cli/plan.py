"""`plan draft|check|explain|propose`: what a run will do, before anything runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.explaining import explain, print_audit, print_privacy
from headwater_server.cli.options import (
    Delta,
    Epsilon,
    GeneratorChoice,
    HomeOption,
    Mode,
    MostRows,
    PlanSeed,
    RecipeChoice,
    Records,
    Rounds,
    Unit,
    budget_of,
    open_home,
    open_storage,
)

if TYPE_CHECKING:
    from headwater.agreement.differencing import MembershipChange
    from headwater.agreement.plan import Plan

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Draft, check, explain and propose plans.",
    epilog="Example:  headwater-coordinator plan draft --schema schema.toml --on-membership-change strict",
)


_Recipe = Annotated[
    RecipeChoice | None,
    typer.Option(
        help="What is fitted: hybrid, a mixture by sums and then training around it; mixture, by sums alone; "
        "marginals, a network by sums alone; adversarial, a network by training. By default hybrid, for pictures "
        "mixture, under --epsilon marginals."
    ),
]
_Policy = Annotated[
    str | None,
    typer.Option(
        help="What judges the audit at the end of the run: standard, strict, research, non-private or demo; none "
        "for no audit. By default standard under --epsilon, non-private without; none for pictures."
    ),
]
_Generator = Annotated[
    GeneratorChoice,
    typer.Option(
        help="The most that a release may give of the generator: kept, nothing; on-request, rows that the "
        "coordinator samples; released, its weights. More than kept needs --epsilon."
    ),
]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(_group, name="plan")


@_group.command(epilog="Example:  headwater-coordinator plan draft --schema schema.toml --on-membership-change strict")
def draft(
    schema: Annotated[Path, typer.Option(help="The schema that the members agreed on, TOML.")],
    out: Annotated[Path, typer.Option(help="The plan to write, TOML.")] = Path("plan.toml"),
    recipe: _Recipe = None,
    rounds: Rounds = None,
    epsilon: Epsilon = None,
    delta: Delta = None,
    unit: Unit = None,
    records: Records = None,
    most_rows: MostRows = None,
    mode: Mode = None,
    policy: _Policy = None,
    generator: _Generator = GeneratorChoice.KEPT,
    seed: PlanSeed = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    on_membership_change: Annotated[
        str | None, typer.Option(help="strict or continue: what the run does when an organisation stays away.")
    ] = None,
) -> None:
    """Write a plan with every setting that is not named at its default, to be read and edited.

    With --epsilon the plan has a budget of differential privacy and every sum carries noise; `plan explain` says what
    that costs. Without it the plan is NOT DIFFERENTIALLY PRIVATE, and says so.

    One choice has no default. Under `strict` each organisation refuses a sum over other organisations than before, so
    that no two sums can be subtracted from each other; a run then needs the same organisations to its end. Under
    `continue` a run goes on with those that remain, and its results say that nothing protects against differencing.
    Without --on-membership-change you are asked.
    """
    from headwater.agreement.charge import plan_events
    from headwater.agreement.generator_terms import ReleaseTerms, terms_problem
    from headwater.agreement.plan import AggregationTerms, Plan, plan_name
    from headwater.errors import InputError
    from headwater.flower_bundle import bundle_sha256
    from headwater.privacy.words import WEAK, weakness_in_words
    from headwater.recipe.defaults import recipe_of, splits_of
    from headwater_server.audit_option import audit_in_one_line, audit_of
    from headwater_server.cost_words import guesses_in_words
    from headwater_server.plan_file import read_schema
    from headwater_server.plan_text import explained

    budget, contract = budget_of(epsilon, delta, unit, records, most_rows, mode), read_schema(schema)
    if out.exists() and not force:
        raise InputError(f"{out} is there already; choose another --out or say --force")
    audit = audit_of(policy, contract, private=budget is not None)
    release = ReleaseTerms(generator=generator.terms)
    if problem := terms_problem(release, budget or "none", audit):
        raise InputError(problem)
    plan = Plan(
        name=plan_name(contract.name),
        schema=contract,
        recipe=recipe_of(contract, None if recipe is None else recipe.value, rounds, private=budget is not None),
        aggregation=AggregationTerms(on_membership_change=_membership_change(on_membership_change)),
        privacy=budget or "none",
        audit=audit,
        release=release,
        splits=splits_of(private=budget is not None),
        seed=seed,
        stub_sha256=bundle_sha256(),
    )
    # More noise than can be drawn is refused before anything is written.
    plan_events(plan)
    out.write_text(explained(plan.to_toml()), encoding="utf-8")
    if budget is not None and (weak := weakness_in_words(budget.epsilon)):
        typer.echo(f"{WEAK}: {weak}", err=True)
    typer.echo(f"wrote {out}; read it, then: headwater-coordinator plan check {out}")
    typer.echo(f"audit: {audit_in_one_line(plan.audit)}")
    if budget is not None and most_rows is None:
        typer.echo(
            f"most_rows is {budget.most_rows:,} since nobody said how many rows there may be: decide on the public "
            f"upper bound, in {out} or by --most-rows"
        )
    if guesses := guesses_in_words(contract):
        typer.echo(f"it cannot be proposed yet: {guesses}")


def _membership_change(choice: str | None) -> "MembershipChange":
    from headwater.agreement.differencing import choice_in_words
    from headwater.errors import InputError

    if choice is None:
        typer.echo(
            f"When an organisation stays away:\n- {choice_in_words('strict')}.\n- {choice_in_words('continue')}."
        )
        try:
            choice = typer.prompt("strict or continue")
        except typer.Abort as error:
            raise InputError("no plan was written; say --on-membership-change strict, or continue") from error
    if choice == "strict":
        return "strict"
    if choice == "continue":
        return "continue"
    raise InputError(f"--on-membership-change is {choice!r}; say strict or continue")


@_group.command(epilog="Example:  headwater-coordinator plan check plan.toml")
def check(plan: Annotated[Path, typer.Argument(help="The plan, TOML.")]) -> None:
    """Say in plain words what a plan would do, and what keeps it from being proposed."""
    from rich.console import Console
    from rich.markup import escape

    from headwater.agreement.differencing import choice_in_words
    from headwater.errors import InputError
    from headwater.privacy.words import repeats_in_words
    from headwater.recipe.local_training import local_training
    from headwater_server.plan_file import read_plan

    document = read_plan(plan)
    console = Console()
    schema, recipe, terms = document.schema_, document.recipe, document.aggregation
    target = schema.target.name if schema.target is not None else "none"
    console.print(f"[bold]{document.name}[/bold]: {len(schema.columns)} columns, target {escape(target)}")
    training = local_training(document)
    rounds = 0 if training is None else training.rounds
    trained = f"{rounds} rounds of training"
    if document.privacy != "none" and recipe.kind == "hybrid":
        trained = f"{recipe.private.critic.steps} steps of a critic by noisy sums"
    console.print(f"recipe {recipe.kind}, {trained}, at most {document.paid_rounds} sums")
    repeats = f"{terms.retries} retries"
    if document.privacy != "none":
        repeats = f"repeats: {repeats_in_words(document.paid_repeats)}"
    console.print(f"at least {terms.minimum_cohort} organisations in each sum, {repeats}", soft_wrap=True)
    print_privacy(console, document, terms.minimum_cohort)
    print_audit(console, document)
    style = "bold" if terms.on_membership_change == "strict" else "bold red"
    console.print(f"[{style}]{terms.protection}[/{style}]", soft_wrap=True)
    console.print(choice_in_words(terms.on_membership_change), soft_wrap=True, highlight=False)
    console.print(f"plan {document.digest}", soft_wrap=True)
    if problems := _problems(document):
        raise InputError(f"the plan cannot be proposed: {'; '.join(problems)}")
    console.print("It can be proposed.")


def _problems(plan: "Plan") -> list[str]:
    from headwater.flower_bundle import bundle_sha256
    from headwater_server.cost_words import guesses_in_words

    problems = []
    if problem := _terms_problem(plan):
        problems.append(problem)
    if guesses := guesses_in_words(plan.schema_):
        problems.append(guesses)
    if plan.stub_sha256 != bundle_sha256():
        problems.append(
            f"it pins Flower bundle {plan.stub_sha256[:12]}, installed is {bundle_sha256()[:12]}; draft the plan again"
        )
    return problems


def _terms_problem(plan: "Plan") -> str:
    """What keeps a generator from being given as the plan says, before anybody approves it; "" for nothing."""
    from headwater.agreement.generator_terms import within
    from headwater.release.generator_check import most_terms
    from headwater.release.policy import load_policy

    terms = plan.release.generator
    if terms == "kept" or plan.audit == "none":
        return ""
    policy = load_policy(plan.audit.policy)
    most = most_terms(policy, private=plan.privacy != "none")
    if within(terms, most):
        return ""
    return f'release.generator is "{terms}", policy {policy.label} lets it be at most "{most}"; say that'


_group.command(epilog="Example:  headwater-coordinator plan explain plan.toml --organisations 5")(explain)


@_group.command(epilog="Example:  headwater-coordinator plan propose plan.toml")
def propose(
    plan: Annotated[Path, typer.Argument(help="The plan, TOML.")],
    home: HomeOption = Path("coordinator"),
) -> None:
    """Propose one run of a plan to the members; prints the run id on its last line.

    Each organisation decides by the plan's digest: headwater-org plan approve RUN. Refused are plans with guesses that
    nobody confirmed. A run stands under the version of the charter that is in force now, whatever follows it.
    """
    import datetime
    import secrets

    from headwater.agreement.approval import RunProposal, SignedProposal
    from headwater.agreement.charge import plan_events
    from headwater.agreement.session import roster_of, terms_of
    from headwater.errors import InputError
    from headwater.secagg.protocol.terms import cohort_problem
    from headwater_server.plan_file import read_plan
    from headwater_server.runs.charters import charter_for_new_runs

    document = read_plan(plan)
    if problems := _problems(document):
        raise InputError(f"the plan cannot be proposed: {'; '.join(problems)}")
    place = open_home(home)
    storage = open_storage(place)
    charter, run_id = charter_for_new_runs(storage), secrets.token_hex(16)
    roster = roster_of(charter, document)
    if problem := cohort_problem(len(charter.members), roster.minimum_cohort, roster.colluders):
        raise InputError(f"the plan cannot run under this charter: {problem}")
    terms_of(document, run_id, 1).check_headroom(len(charter.members))
    plan_events(document)
    for record in storage.runs():
        if record.plan_digest == document.digest and not storage.run_state(record.run_id).over:
            typer.echo(
                f"warning: this very plan is proposed already as run {record.run_id} ({record.state}); this is another "
                f"run of it. If that was not meant: headwater-coordinator run stop {run_id[:8]}",
                err=True,
            )
    proposal = RunProposal(
        run_id=run_id,
        plan=document,
        charter_digest=charter.digest,
        created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    storage.add_run(SignedProposal.sign(proposal, place.charter_key()))
    typer.echo(f"proposed plan {document.digest} to {len(charter.members)} members; run id:")
    typer.echo(run_id)
