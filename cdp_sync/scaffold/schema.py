"""The JSON schema of a `defs.yaml`, made of the models that check it: editors complete keys and mark mistakes by it."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from cdp_sync.model.reading import model_of, type_names

_OF_DAGSTER = ("template_vars_module", "requirements", "post_processing")
"""Keys that every Dagster component may have beside its attributes."""


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
