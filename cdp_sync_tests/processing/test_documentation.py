"""Each processor and option is documented, and the examples are valid."""

import re
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from cdp_sync.model.processor import Processor

TEXT = (Path(__file__).parents[2] / "docs" / "processors.md").read_text(encoding="utf-8")


def examples() -> list[Processor]:
    """Return the processors of all examples."""
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    declared = [one for block in blocks for one in yaml.safe_load(block)["processors"]]
    return TypeAdapter(list[Processor]).validate_python(declared)


def test_every_processor_has_an_example() -> None:
    """Every processor is shown in a valid declaration; pseudonyms are described in words."""
    shown = {processor.name for processor in examples()}
    assert set(Processor.model_fields) - shown <= {"pseudonymize"}


def test_every_option_is_documented() -> None:
    """Every option of every processor stands in a row of its table."""
    missing = [
        f"{processor.name}.{field.alias or name}"
        for processor in examples()
        for name, field in type(processor.settings).model_fields.items()
        if f"`{field.alias or name}`" not in TEXT
    ]
    assert missing == []
