"""How to cite a version of a dataset: for a person, for BibTeX, for programs that read CITATION.cff."""

import json
import re

from headwater.release.manifest import Manifest
from headwater.release.statement import citation

__all__ = ["bibtex", "citation_cff", "citation_text"]

_SPECIAL = re.compile(r"[\\{}$&#^_%~]")
_BIBTEX = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
# What SPDX calls a licence and a card may hold; anything else is told in the notes, since CFF knows only these.
_SPDX = re.compile(
    r"(CC0-1\.0|CC-BY(-(NC|SA|ND|NC-SA|NC-ND))?-[1-4]\.0|ODbL-1\.0|ODC-By-1\.0|PDDL-1\.0|MIT|Apache-2\.0)"
)


def citation_text(manifest: Manifest) -> str:
    """One sentence for a list of references."""
    provenance = manifest.provenance
    return citation(provenance.consortium, manifest.title, manifest.name, manifest.version, manifest.created)


def bibtex(manifest: Manifest, url: str) -> str:
    """An entry for BibTeX or BibLaTeX; every name is escaped and in braces of its own.

    Args:
        manifest: of the version.
        url: of its page.
    """
    fields = {
        "author": f"{{{_tex(manifest.provenance.consortium)}}}",
        "title": f"{{{_tex(manifest.title)}}}",
        "year": manifest.created[:4],
        "month": manifest.created[5:7],
        "version": str(manifest.version),
        "howpublished": "Synthetic dataset, made with Headwater",
        "url": url,
        "note": f"SHA-256 of the manifest: {manifest.digest}",
    }
    lines = "".join(f"  {name:<12} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{{manifest.name}-{manifest.version},\n{lines}}}\n"


def citation_cff(manifest: Manifest, url: str) -> str:
    """CITATION.cff 1.2.0; values are quoted, so that no title adds a key.

    Source: Citation File Format 1.2.0, schema guide.
    """
    spdx = _SPDX.fullmatch(manifest.licence)
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use this dataset, please cite it as below."',
        "type: dataset",
        f"title: {json.dumps(manifest.title)}",
        f"version: {json.dumps(str(manifest.version))}",
        f"date-released: {json.dumps(manifest.created[:10])}",
        f"url: {json.dumps(url)}",
        "authors:",
        f"  - name: {json.dumps(manifest.provenance.consortium)}",
        "identifiers:",
        "  - type: other",
        f"    value: {json.dumps(f'sha256:{manifest.digest}')}",
        '    description: "SHA-256 of the release manifest"',
        *([f"license: {spdx[0]}"] if spdx else []),
        "keywords: [synthetic data, headwater]",
    ]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    one_line = " ".join(text.split())
    return _SPECIAL.sub(lambda match: _BIBTEX.get(match[0], f"\\{match[0]}"), one_line)
