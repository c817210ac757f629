"""Writes the protocol's sequence diagrams to docs/diagrams; `--check` fails when a file there is another.

python tools/diagrams/generate.py [--check]
"""

import argparse
import sys
from pathlib import Path

from drawing import Diagram, Lost, Message, Note, draw

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "diagrams"

DOWN, UP = ((1, 0), (1, 2)), ((0, 1), (2, 1))
EVERYBODY = ("a member", "coordinator", "every other member")

SETUP = Diagram(
    "Setup of a session",
    "The coordinator invites; members exchange signed Hellos, accept them, and derive one secret for each pair.",
    EVERYBODY,
    (
        Message("INVITATION", "run, number of the attempt", DOWN),
        Note("stores the attempt, then makes fresh X25519, ML-KEM and session keys", 0, 0),
        Message("HELLO", "suite, run, attempt, charter, plan, three keys; signed by the identity key", UP),
        Message("HELLOS", "all of them, byte for byte, sorted by member", DOWN),
        Note("each member checks every Hello against the charter and plan that it holds itself; TH = H(Hellos)", 0, 2),
        Message("ACCEPT, CAPSULES", "TH, root over the ML-KEM capsules; then the capsules for later members", UP),
        Message("DELIVERY, SESSION", "the capsules for this member with their paths; all Accepts", DOWN),
        Note(
            "SID = H(TH, Accepts). Each checks n, T and c for itself, derives one root for each pair from X25519 and "
            "ML-KEM together, two chains from each root, and forgets the rest",
            0,
            2,
        ),
        Message("DEAL", "of the first round", UP),
    ),
)

ROUND = Diagram(
    "A steady round",
    "Three trips: Start and Upload, Survivors and Confirm, Quorum and Reveal. The next Deal follows the Upload.",
    EVERYBODY,
    (
        Message("START t, CHUNKS", "who takes part, the Deals' headers, own sealed shares; Task and model", DOWN),
        Note("each opens and checks its shares, computes ρ, lets its own plan judge the Task, computes x", 0, 2),
        Message("CHUNKS, UPLOAD t", "y = x + masks under ρ; its SHA-256, signed", UP),
        Message("DEAL t + 1", "right behind it, so that no later round waits for its Deals", UP),
        Message("SURVIVORS", "U: who uploaded, and the digest of each y", DOWN),
        Note("each finds itself with its own digest, and |U| large enough; under strict it records U first", 0, 2),
        Message("CONFIRM", "of ρ, U and digests: one for one t", UP),
        Message("QUORUM", "the Confirms of T members of U, or more", DOWN),
        Message("REVEAL", "a share of each uploader's self seed b", UP),
        Note("rebuilds every b, takes the masks off the sum, checks the four check coordinates", 1, 1),
        Message("RECEIPT", "signed; names U, the Confirms and the document before it", DOWN),
    ),
)

DROPOUT = Diagram(
    "A round with a dropout",
    "One member's stream breaks inside its Upload. The others reveal shares of its bundle seed, and the sum is exact.",
    ("members that stay", "coordinator", "a member that drops"),
    (
        Message("START t, CHUNKS", "everybody is asked", DOWN),
        Message("CHUNKS, UPLOAD t", "y with all pair masks, those with the lost member too", ((0, 1),)),
        Lost("CHUNKS", "the stream breaks, or the deadline passes", 2, 1),
        Note("forgets the half upload; U is those who uploaded whole", 1, 1),
        Message("SURVIVORS, CONFIRM, QUORUM", "as always, over U", ((1, 0), (0, 1))),
        Message("REVEAL", "shares of b of each in U; of w of the lost member; never both of one", ((0, 1),)),
        Note(
            "opens the lost member's bundle with w, holds each pair secret in it to its leaf, takes their masks off",
            1,
            1,
        ),
        Message("RECEIPT", "the exact sum over U; the lost process lives: it is back at the next round", DOWN),
    ),
)

COMPLAINT = Diagram(
    "A complaint",
    "A member finds that what it was dealt is off. It uploads nothing, and the round's abort names both.",
    ("the accuser", "coordinator", "the dealer, the others"),
    (
        Message("START t, CHUNKS", "with the shares that the dealer sealed", DOWN),
        Note("the seal of a share does not open, or its leaf is another", 0, 0),
        Message("COMPLAINT", "t, the dealer, which check; signed. Nothing is uploaded", ((0, 1),)),
        Note("cannot tell which of the two lies", 1, 1),
        Message("ABORT t", "the disputing pair by name; signed, the next link of the chain", DOWN),
        Note("the next cohort leaves both out where enough remain without them, and else the accuser", 1, 1),
        Message("START t + 1", "without at least one of the two", ((1, 2),)),
    ),
)

INQUIRY = Diagram(
    "An inquiry",
    "After the Reveals the sum does not open. The coordinator asks for evidence about public check values alone.",
    EVERYBODY,
    (
        Message("REVEAL", "as always", UP),
        Note("the check coordinates of the sum are off: the sum is thrown away", 1, 1),
        Message("INQUIRY", "about masks", DOWN),
        Message("BLOCKS", "each pair mask in U on the four check coordinates, and nowhere else", UP),
        Note(
            "a y begins otherwise than its member tells: that member. Ends differ else: a disputing pair",
            1,
            1,
        ),
        Message("ABORT", "whom the evidence convicts, and the disputing pairs", DOWN),
        Note(
            "Another case: T shares, each as committed, open another self seed than committed. Its dealer is asked",
            0,
            2,
        ),
        Message("INQUIRY", "about the seed", ((1, 0),)),
        Message("SEED", "b, held to its digest: the round is saved, the dealer left out after it", ((0, 1),)),
        Note("no such answer by the deadline: the abort blames the dealer, for the whole run", 1, 1),
    ),
)

DIAGRAMS = {"setup": SETUP, "round": ROUND, "dropout": DROPOUT, "complaint": COMPLAINT, "inquiry": INQUIRY}


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check = parser.parse_args().check
    stale = []
    for name, diagram in DIAGRAMS.items():
        file, text = FOLDER / f"{name}.svg", draw(diagram)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(file.name)
            if not check:
                file.write_text(text, encoding="utf-8")
    print(f"{len(DIAGRAMS)} diagrams, {'out of date' if check else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
