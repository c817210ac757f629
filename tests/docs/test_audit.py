"""The page on audits names every check that there is, and no other."""

import re

import numpy as np

from headwater.audit.audit import CHECKS
from headwater.audit.checks import all_checks
from headwater.evidence.candidate import Candidate
from headwater.evidence.settings import AuditSettings
from headwater.release.policy import load_policy, policy_names
from headwater.release.policy.document import matches
from support.reference_generators import law
from support.specification import ROOT

PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
