"""Writes a new project from the files beside this module, and the JSON schema of a `defs.yaml` for its editors.

In their names `dot_` stands for a dot; in their texts `@name@`, `@folder@`, `@version@`, `@next@` and `@extras@` stand
for the project's name and folder, this version, the first one that may differ, and the extras that it needs.
"""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from cdp_sync import __version__
from cdp_sync.connectors.disk import while_writing
from cdp_sync.errors import FilesInTheWay
from cdp_sync.model.reading import model_of, type_names

SCHEMA = "defs.schema.json"
_FILES = Path(__file__).parent / "files"
_WORKERS = Path(__file__).parent / "workers"
"""Files of a project with workers, beside or in place of the others."""
_OF_DAGSTER = ("template_vars_module", "requirements", "post_processing")
"""Keys that every Dagster component may have beside its attributes."""


def write_project(folder: Path, *, workers: bool = False) -> list[Path]:
    """Write a project into a folder, which is made where it is missing; with `workers` one for several machines.

    Returns:
        The files that were written, relative to the folder.

    Raises:
        FilesInTheWay: A file that would be written is there already; none has been written then.
        DiskFull: There is no room.
    """
    texts = _texts(folder.absolute(), (_FILES, _WORKERS) if workers else (_FILES,))
    if taken := [str(name) for name in texts if (folder / name).exists()]:
        raise FilesInTheWay(
            f"{folder} holds already: {', '.join(taken)}.",
            needed="A new project overwrites nothing.",
            remedy="Name another folder, or move these files away.",
        )
    with while_writing(folder):
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return list(texts)


def write_settings(folder: Path) -> None:
    """Write Dagster's settings alone, `dagster.yaml` and `workspace.yaml`, into a folder."""
    for name in ("dagster.yaml", "workspace.yaml"):
        (folder / name).write_bytes((_FILES / name).read_bytes())


def _texts(folder: Path, sources: tuple[Path, ...]) -> dict[Path, str]:
    major, minor = map(int, __version__.split(".")[:2])
    values = {
        "name": re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "profiles",
        "folder": str(folder),
        "version": __version__,
        "next": f"{major}.{minor + 1}",
        "extras": "[ducklake,workers]" if _WORKERS in sources else "",
    }
    found = {Path(SCHEMA): json.dumps(declaration_schema(), indent=2) + "\n"}
    for source in sources:
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            name = Path(str(file.relative_to(source)).replace("dot_", "."))
            found[name] = re.sub(f"@({'|'.join(values)})@", lambda match: values[match[1]], file.read_text("utf-8"))
    return found


class _Templates(GenerateJsonSchema):
    """Describes values that may be written in more than one way."""

    def time_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's own signature
        """Describe a time of day as it is written: HH:MM, without seconds."""
        return {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}


def declaration_schema() -> dict[str, Any]:
    """Return the schema of a document of a `defs.yaml`: one of our types with its attributes, or a type of others."""
    types: dict[str, type[BaseModel]] = {name: model for name in type_names() if (model := model_of(name))}
    references, definitions = models_json_schema(
        [(model, "validation") for model in types.values()],
        ref_template="#/$defs/{model}",
        schema_generator=_Templates,
        union_format="any_of",
    )
    by_type = [
        {
            "if": {"properties": {"type": {"const": name}}},
            "then": {"properties": {"attributes": references[model, "validation"]}},
        }
        for name, model in types.items()
    ]
    known: dict[str, Any] = dict.fromkeys(_OF_DAGSTER, True)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A declaration of cdp_sync",
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": {"description": "The component's type.", "anyOf": [{"enum": list(types)}, {"type": "string"}]},
            "attributes": {"type": "object"},
            **known,
        },
        "allOf": by_type,
        "$defs": definitions["$defs"],
    }
