"""Verify a downloaded dataset step by step, without a network, and say what was checked and by whose key.

python examples/research/verify_offline.py FOLDER [--charter charter.json]

The charter is the one that you pinned by `headwater catalogue add`, or a file that a member gave you. It is all that
is believed: whoever made the folder cannot make this pass.
"""

import argparse
from pathlib import Path

from headwater.agreement.charter import Charter, SignedCharter
from headwater.catalogue import home_folder, pinned_charter
from headwater.errors import HeadwaterError
from headwater.release import verify_release
from headwater.release.hashing import hash_file
from headwater.release.layout import MANIFEST
from headwater.release.verification import claimed_charter, read_manifest, verify_manifest


def charter_of(folder: Path, given: Path | None) -> Charter:
    """The charter to check by; never one that lies in the folder."""
    if given is None:
        return pinned_charter(home_folder(), claimed_charter(folder))
    signed = SignedCharter.from_bytes(given.read_bytes())
    signed.verify()
    return signed.charter


def check(folder: Path, charter: Charter) -> None:
    """Each check in order; the first that fails raises."""
    print(f"Charter {charter.digest[:16]}… of {charter.consortium}, version {charter.version}: pinned by you.")
    for member in charter.members:
        print(f"  member {member.id}: key {member.identity_key[:16]}…")
    print(f"  coordinator: key {charter.coordinator_key[:16]}…")

    manifest = verify_manifest(read_manifest((folder / MANIFEST).read_bytes()), charter)
    print(f"1. {MANIFEST} is signed by the coordinator's key, for {manifest.name} version {manifest.version}.")
    for entry in manifest.files:
        size, digest = hash_file(folder / entry.path)
        same = (size, digest) == (entry.size_bytes, entry.sha256)
        print(f"   {'same' if same else 'CHANGED'}  {digest[:16]}…  {entry.path}")
    verification = verify_release(folder, charter)
    print(f"2. All {len(manifest.files)} files are the ones that were signed, none is missing, added or a link.")
    print("3. SHA256SUMS says the same; schema.toml is the schema of the plan that the members approved.")
    if verification.replay is None:
        print("4. The release claims no differential privacy, so there is no ε to replay.")
    else:
        print(f"4. {verification.replay.in_words}.")
    if verification.audit is None:
        print("5. The release was not audited: no organisation signed it.")
    else:
        print("5. audit.json is on these rows, and its decision follows from the policy that it names.")
        print(f"6. attestation.json is {verification.signatures}.")
    print(f"\nVerified: release {verification.digest}")
    print(verification.headline)


def main() -> int:
    """Exit status 1 and one line where a check fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="as `headwater download` made it")
    parser.add_argument("--charter", type=Path, help="signed charter, JSON; by default the pinned one")
    options = parser.parse_args()
    try:
        check(options.folder, charter_of(options.folder, options.charter))
    except (HeadwaterError, OSError) as error:
        print(f"NOT VERIFIED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
