"""Write the table of policies into docs/audit.md; with --check only compare."""

import sys
from pathlib import Path

from headwater.release.policy import Policy, Rule, load_policy, policy_names

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "audit.md"
BEGIN = "<!-- policies: written by tools/gen_policy_table.py -->"
END = "<!-- end of policies -->"
ORDER = ("standard", "strict", "research", "non-private", "demo")


def policy_table() -> str:
    """Rules by gate, a column for each policy: what fails, what only warns, what may be waived."""
    policies = [load_policy(name) for name in sorted(policy_names(), key=ORDER.index)]
    first = policies[0]
    head = ["gate", "what is asked", *(policy.name for policy in policies)]
    lines = [_line(head), _line(["---"] * len(head))]
    for gate in first.gates:
        for number, rule in enumerate(gate.rules):
            asked = f"{', '.join(f'`{check}`' for check in rule.checks)}{_subjects(rule)}: {rule.says}"
            cells = [_cell(policy, gate.id, number) for policy in policies]
            lines.append(_line([gate.id, asked, *_differing(cells)]))
        if any(gate.id in policy.left_to_organisations for policy in policies):
            left = [
                "each organisation, before it signs" if gate.id in p.left_to_organisations else "–" for p in policies
            ]
            asked = "who judges it under a privacy budget, where no figure of real rows leaves"
            lines.append(_line([gate.id, asked, *_differing(left)]))
        waived = [_waived(policy, gate.id) for policy in policies]
        lines.append(_line([gate.id, "may be waived by two organisations", *_differing(waived)]))
    return "\n".join(lines)


def _subjects(rule: Rule) -> str:
    named = {"outliers": " of outliers", "*=*": " of a group"}
    return "".join(named.get(subject, "") for subject in rule.subjects)


def _differing(cells: list[str]) -> list[str]:
    """The first policy's cell, and of the others what differs from it."""
    return [cells[0], *("same" if cell == cells[0] else cell for cell in cells[1:])]


def _cell(policy: Policy, gate_id: str, number: int) -> str:
    gate = policy.gate(gate_id)
    if gate is None:
        return "not asked"
    rule = gate.rules[number]
    times = " ε" if rule.times_epsilon else ""
    match rule.bad:
        case "chance":
            side = f"p < {rule.level:g}"
        case "outside":
            side = f"< {rule.threshold:g} or > {rule.upper:g}"
        case "above":
            side = f"> {_limit(rule)}{times}"
        case "below":
            side = f"< {_limit(rule)}{times}"
    sure = {"value": "", "interval": " not excluded", "proof": " for certain" if rule.bad != "chance" else ""}[rule.by]
    then = {"fail": "fails", "warn": "warns", "inconclusive": "inconclusive"}[rule.then]
    ceiling = ", or above what ε allows" if rule.ceiling_at is not None and policy.asks_for_privacy else ""
    aside = "" if gate.without_privacy == "judge" else "; not applicable without ε"
    return f"{side}{sure}{ceiling}: {then}{aside}"


def _limit(rule: Rule) -> str:
    """A threshold; one that is relative to the measure's own null value as "null − 0.1"."""
    at = rule.threshold or 0.0
    return f"null {'−' if at < 0 else '+'} {abs(at):.3g}" if rule.above_null else f"{at:.3g}"


def _waived(policy: Policy, gate_id: str) -> str:
    gate = policy.gate(gate_id)
    return {"never": "no", "inconclusive": "if inconclusive", "fail": "also if failed", None: "–"}[
        None if gate is None else gate.waivable
    ]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Write or compare."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    fresh = f"{before}{BEGIN}\n\n{policy_table()}\n\n{END}{after}"
    if "--check" in sys.argv[1:]:
        if fresh != text:
            raise SystemExit("docs/audit.md has another table of policies; run python tools/gen_policy_table.py")
        return
    PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
