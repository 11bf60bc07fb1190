"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import hiprobe
from scripts.cli_reference import PATH, reference

ROOT = Path(__file__).parents[1]


def test_the_command_reference_is_fresh() -> None:
    assert PATH.read_text(encoding="utf-8") == reference(), "docs/cli.md is stale; run `make docs`"


def test_links_between_documents_lead_somewhere() -> None:
    names = ("README.md", "CONTRIBUTING.md", "training/README.md")
    for page in [*(ROOT / name for name in names), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_version_is_one() -> None:
    assert f'version = "{hiprobe.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"## [{hiprobe.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_product_does_not_import_the_training_package() -> None:
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        imported = re.findall(r"^\s*(?:from|import) hiprobe_training\b", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not imported, f"{path} imports the training package"
