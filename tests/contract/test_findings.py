"""Every finding of the table becomes a rule, or a table of measurements, or is left out for a stated reason."""

from pathlib import Path

import pytest
import yaml

from autopeft.catalog.findings import FOLDER, load_findings
from autopeft.catalog.load import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.domain.findings import Finding
from autopeft.domain.rules import Rule

CATALOG = load_catalog()
FINDINGS = [pytest.param(finding, id=finding.id) for finding in load_findings().values()]
RULES = [pytest.param(rule, id=rule.id) for rule in CATALOG.rules.values()]
MOST_LEFT_OUT = 15


def carried_by(finding: Finding) -> list[Rule]:
    return [rule for rule in CATALOG.rules.values() if finding.id in rule.findings]


def test_the_table_is_whole(material: Path) -> None:
    original = yaml.safe_load((material / "evidence" / "paper_facts.yaml").read_text("utf-8"))
    copy = yaml.safe_load((search_spaces_root() / FOLDER / "survey.yaml").read_text("utf-8"))
    assert copy["findings"] == original["rules"]
    assert copy["sources"] == original["meta"]["sources"]


def test_few_are_left_out() -> None:
    left_out = [finding for finding in load_findings().values() if finding.left_out]
    assert len(load_findings()) == 81
    assert 0 < len(left_out) <= MOST_LEFT_OUT


@pytest.mark.parametrize("finding", FINDINGS)
def test_it_is_carried_out_or_left_out_and_not_both(finding: Finding) -> None:
    measured = any(finding.id in getattr(table, "findings", ()) for table in CATALOG.evidence.values())
    assert (bool(carried_by(finding)) or measured) != bool(finding.left_out)


@pytest.mark.parametrize("finding", FINDINGS)
def test_what_is_recalled_is_carried_out_as_a_prior(finding: Finding) -> None:
    for rule in carried_by(finding):
        assert (rule.status == "prior") == (finding.status == "RECALLED")
        if finding.status == "RECALLED":
            assert rule.confidence == finding.confidence


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_findings_that_exist(rule: Rule) -> None:
    assert set(rule.findings) <= set(load_findings())
    assert rule.findings or rule.id.startswith("AP-"), "a rule is named after its finding, or AP-n"
    if not rule.id.startswith("AP-"):
        assert rule.id[:3] in rule.findings
