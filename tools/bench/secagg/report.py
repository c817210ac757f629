"""The benchmark's rows as targets, tables and one JSON document."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.tables import amount, figure, mebibytes, seconds, table, values, verdict_table
from harness.verdicts import Target, Verdict, judge
from secagg.figures import median_of, ratio

__all__ = ["TARGETS", "describe", "measured_numbers", "verdicts"]

_CLIENT = "client CPU with rounding, of Flower's SecAgg+, 10 × {}"
_SERVER = "server CPU, of Flower's SecAgg+, 10 × {}"
_BYTES = "bytes up per value, 10^6 values and more"
_ERROR = "largest error of a decoded mean, of the clip"
_MEMORY = "server's peak memory beyond the spool's, in vectors, 50 × 10^7"
_RATE = "rounds per second, mTLS on loopback, 10 × 10^5"
_MASKING = "masking rate, of AES-256-CTR's"
_MEMBER = "CPU seconds of a member at 1,000 × 10^4, setup included"
_COORDINATOR = "CPU seconds of the coordinator at 1,000 × 10^4, setup included"

TARGETS: Sequence[Target] = (
    Target(_CLIENT.format("10^6"), 0.20),
    Target(_CLIENT.format("10^7"), 0.20),
    Target(_SERVER.format("10^6"), 0.25),
    Target(_SERVER.format("10^7"), 0.25),
    Target(_BYTES, 4.1),
    Target(_MEMORY, 3.0),
    Target(_ERROR, 1e-6),
    Target(_RATE, 15.0, at_least=True),
    Target(_MASKING, 0.70, at_least=True),
    Target(_MEMBER, 3.0),
    Target(_COORDINATOR, 60.0),
)

Rows = Sequence[Mapping[str, Any]]


def verdicts(sections: Mapping[str, Rows]) -> list[Verdict]:
    """Every target beside what was measured of it."""
    return judge(TARGETS, measured_numbers(sections))


def measured_numbers(sections: Mapping[str, Rows]) -> dict[str, float]:
    """The numbers that have a target, as far as their sections were measured.

    Args:
        sections: letter → rows; each row has "settings" and "row".
    """
    numbers: dict[str, float] = {}
    for entry in sections.get("a", ()):
        cell, row = entry["settings"], entry["row"]
        ours, theirs = row["headwater"], row["flower"]
        if cell["count"] == 10 and cell["length"] in (10**6, 10**7):
            size = values(cell["length"])
            numbers[_CLIENT.format(size)] = _with_rounding(ours) / median_of(theirs, "client_seconds")
            numbers[_SERVER.format(size)] = ratio(ours, theirs, "server_seconds")
        if cell["length"] >= 10**6:
            each = median_of(ours, "bytes_up") / cell["length"]
            numbers[_BYTES] = max(each, numbers.get(_BYTES, 0.0))
        numbers[_ERROR] = max(numbers.get(_ERROR, 0.0), *(cost["largest_error"] for cost in ours))
        if (cell["count"], cell["length"]) == (50, 10**7):
            # Five times the members of the row above bring five times the uploads; only the spool may hold more.
            beyond = median_of(ours, "server_peak_bytes") - row["spool_bytes"]
            numbers[_MEMORY] = beyond / (4 * cell["length"])
    for entry in sections.get("b", ()):
        if (entry["settings"]["members"], entry["settings"]["length"]) == (10, 10**5):
            numbers[_RATE] = entry["row"]["rounds_per_second"]
    for entry in sections.get("c", ()):
        numbers[_MASKING] = ratio(entry["row"], [{"masking": r["keystream"]} for r in entry["row"]], "masking")
    for entry in sections.get("d", ()):
        if (entry["settings"]["count"], entry["settings"]["length"]) == (1000, 10**4):
            numbers[_MEMBER] = entry["row"]["member_setup"] + entry["row"]["member_round"]
            numbers[_COORDINATOR] = entry["row"]["server_setup"] + entry["row"]["server_round"]
    return numbers


def describe(sections: Mapping[str, Rows], machine: str) -> str:
    """All tables, one behind the other, as Markdown."""
    parts = [machine]
    for letter, (title, build) in _TABLES.items():
        if sections.get(letter):
            parts.append(f"### {title}\n\n{build(sections[letter])}")
    parts.append("### Numbers to reach\n\n" + verdict_table(verdicts(sections)))
    return "\n\n".join(parts)


def _with_rounding(ours: Sequence[Mapping[str, Any]]) -> float:
    """Our client's CPU seconds from real numbers on, where Flower's figure begins too."""
    return median_of(ours, "client_seconds") + median_of(ours, "encoding_seconds")


def _costs(rows: Rows) -> str:
    head = (
        "organisations × values",
        "client: ours",
        "Flower",
        "ratio",
        "with rounding",
        "server: ours",
        "without hashing",
        "Flower",
        "ratio",
        "up per value: ours",
        "Flower",
        "client peak: ours",
        "Flower",
        "server peak: ours",
        "Flower",
    )
    lines = []
    for entry in sorted(rows, key=lambda entry: (entry["settings"]["length"], entry["settings"]["count"])):
        cell, ours, theirs = entry["settings"], entry["row"]["headwater"], entry["row"]["flower"]
        client, server = median_of(ours, "client_seconds"), median_of(ours, "server_seconds")
        star = "*" if cell["stand_ins"] else ""
        lines.append(
            (
                f"{cell['count']} × {values(cell['length'])}{star}",
                seconds(client),
                seconds(median_of(theirs, "client_seconds")),
                amount(ratio(ours, theirs, "client_seconds")),
                amount(_with_rounding(ours) / median_of(theirs, "client_seconds")),
                seconds(server),
                seconds(server - median_of(ours, "hashing_seconds")),
                seconds(median_of(theirs, "server_seconds")),
                amount(ratio(ours, theirs, "server_seconds")),
                *(figure(median_of(side, "bytes_up") / cell["length"]) for side in (ours, theirs)),
                *(
                    mebibytes(median_of(side, f"{role}_peak_bytes"))
                    for role in ("client", "server")
                    for side in (ours, theirs)
                ),
            )
        )
    note = (
        "\n\n\\* one of Flower's clients is real; the others mask nothing and share once; its server is spared nothing."
    )
    return table(head, lines) + (note if any(entry["settings"]["stand_ins"] for entry in rows) else "")


def _loopback(rows: Rows) -> str:
    head = ("organisations × values", "rounds per second", "slowest to fastest window", "coordinator CPU", "member CPU",
            "journal (wall)", "up", "down")  # fmt: skip
    lines = [
        (
            f"{entry['settings']['members']} × {values(entry['settings']['length'])}",
            f"{row['rounds_per_second']:.1f}",
            f"{row['slowest']:.1f} to {row['fastest']:.1f}",
            f"{row['coordinator_cpu_ms']:.1f} ms",
            f"{row['member_cpu_ms']:.1f} ms",
            f"{row['journal_ms']:.1f} ms",
            f"{row['bytes_up'] / 1e3:,.0f} kB",
            f"{row['bytes_down'] / 1e3:,.0f} kB",
        )
        for entry in rows
        for row in (entry["row"],)
    ]
    return table(head, lines)


def _ceilings(rows: Rows) -> str:
    repeats = rows[0]["row"]
    rates = {name: median_of(repeats, name) / 1e9 for name in ("masking", "keystream", "copy")}
    head = ("masks made and added", "AES-256-CTR", "copy of memory", "masking, of the cipher", "of the copy")
    cipher, copy = rates["masking"] / rates["keystream"], rates["masking"] / rates["copy"]
    return table(head, [(*(f"{rate:.2f} GB/s" for rate in rates.values()), f"{cipher:.0%}", f"{copy:.0%}")])


def _growth(rows: Rows) -> str:
    head = ("organisations × values", "member: setup", "member: round", "coordinator: setup", "coordinator: round",
            "most of it", "first member's bytes up")  # fmt: skip
    lines = []
    for entry in rows:
        row = entry["row"]
        phase, most = max(row["phases"].items(), key=lambda item: item[1])
        lines.append(
            (
                f"{entry['settings']['count']:,} × {values(entry['settings']['length'])}",
                *(seconds(row[name]) for name in ("member_setup", "member_round", "server_setup", "server_round")),
                f"{phase} {seconds(most)}",
                f"{row['bytes_up'] / 1e3:,.0f} kB",
            )
        )
    return table(head, lines)


def _dropouts(rows: Rows) -> str:
    head = ("organisations × values", "dropped", "client", "server", "hashing", "receiving and summing", "unmasking",
            "Flower: client", "server")  # fmt: skip
    lines = []
    for entry in rows:
        cell, ours, theirs = entry["settings"], entry["row"]["headwater"], entry["row"]["flower"]
        hashing = median_of(ours, "hashing_seconds")
        phases = [cost["phases"] for cost in ours]
        taking = median_of(phases, "chunk") + median_of(phases, "upload")
        lines.append(
            (
                f"{cell['count']} × {values(cell['length'])}",
                str(cell["dropped"]),
                seconds(median_of(ours, "client_seconds")),
                seconds(median_of(ours, "server_seconds")),
                seconds(hashing),
                seconds(taking - hashing),
                seconds(median_of(phases, "unmasking")),
                seconds(median_of(theirs, "client_seconds")),
                seconds(median_of(theirs, "server_seconds")),
            )
        )
    return table(head, lines)


_TABLES = {
    "a": ("(a) One round beside Flower's SecAgg+", _costs),
    "b": ("(b) Rounds over gRPC with mutual TLS on loopback", _loopback),
    "c": ("(c) Masking beside the machine's limits, one thread", _ceilings),
    "d": ("(d) A session and its first round, by members", _growth),
    "e": ("(e) Dropouts before the upload", _dropouts),
}
