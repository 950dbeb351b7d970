"""What kinds declare: settings, and secrets that stay references wherever they are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE = "file:"
# Words of a header that are a scheme, and runs of letters and digits that no person would write: keys and tokens.
_TOKEN = re.compile(
    r"(?i:\b(?:bearer|basic|token|apikey)\s+\S)"
    r"|(?<![\w/+-])(?=[\w+/=-]*[0-9])(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,200}(?![\w/+-])"
)


class Settings(BaseModel):
    """Base of every kind's `Settings`: unknown keys refused, frozen. Fields carry `description=` and `examples=`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    common: ClassVar[tuple[str, ...]] = ()
    """The fields that a preset of this kind still asks its user for (those that are required, when none is named)."""
    documented: ClassVar[tuple[str, ...]] = ()
    """Of a preset: the fields worth a line in tables; all those of the base kind may be given too."""
    of: ClassVar[str] = ""
    """Of a preset: the base kind."""
    given: ClassVar[frozenset[str]] = frozenset()
    """Of a preset: the fields of the base kind that it fills in."""


class Vault(Protocol):
    """What stands behind a reference. Both raise LookupError with a message for people when there is nothing."""

    def env(self, name: str) -> str: ...

    def file(self, path: str) -> str: ...


class Secret(SecretStr):
    """A secret field: in the config only a reference, `${NAME}` (also within text, "Token ${NAME}") or `file:/path`.

    Validated with the context {"vault": Vault} a literal is refused and the reference looked up; without a vault (code
    and tests) any text is taken as it is. JSON and `public()` show `reference`, never the value.
    """

    literals = False

    def __init__(self, secret_value: str, reference: str = "") -> None:
        super().__init__(secret_value)
        self.reference = reference

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        shown = core_schema.plain_serializer_function_ser_schema(cls._shown, when_used="json")
        return core_schema.with_info_plain_validator_function(cls._from_config, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        pattern = {} if cls.literals else {"pattern": r"^file:.+|\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
        return {"type": "string", "format": "password", "writeOnly": True, **pattern}

    @property
    def looked_up(self) -> bool:
        """Whether the config holds a reference that was looked up, and no plain text."""
        return bool(_REFERENCE.search(self.reference)) or self.reference.startswith(_FILE)

    def hidden(self) -> list[str]:
        """What must be shown nowhere: the value, and what stands behind a word as in "Token abc"."""
        value = self.get_secret_value()
        if self.literals and not self.looked_up and not _TOKEN.search(value):
            return []
        scheme, _, rest = value.partition(" ")
        return [value, rest] if rest and scheme.isalpha() else [value]

    @classmethod
    def checked(cls, value: object, info: ValidationInfo) -> Self:
        """The value as this type; raises what pydantic makes a message of."""
        return cls._from_config(value, info)

    def _shown(self) -> str:
        return self.reference or "**********"

    @classmethod
    def _from_config(cls, value: object, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, SecretStr):
            return cls(value.get_secret_value(), getattr(value, "reference", ""))
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "Input should be a valid string")
        vault: Vault | None = (info.context or {}).get("vault")
        return cls(value) if vault is None else cls(cls._looked_up(value, vault), value)

    @classmethod
    def _looked_up(cls, value: str, vault: Vault) -> str:
        try:
            if value.startswith(_FILE):
                return vault.file(value.removeprefix(_FILE))
            if _REFERENCE.search(value):
                return _REFERENCE.sub(lambda match: vault.env(match[1]), value)
        except LookupError as error:
            why, fix, *_ = (*map(str, error.args), None)
            raise PydanticCustomError("secret_missing", "{why}", {"why": why, "fix": fix}) from None
        if cls.literals and not _TOKEN.search(value):
            return value
        raise PydanticCustomError("secret_literal", "a secret must not stand in the file")


class SecretText(Secret):
    """Text that may hold a secret, such as a header: what looks like a key or token is refused, other text is not."""

    literals = True


def _tree(value: object, info: ValidationInfo) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _tree(item, info) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tree(item, info) for item in value]
    return SecretText.checked(value, info) if isinstance(value, str | SecretStr) else value


def _shown_tree(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown_tree(item) for item in value]
    return value.reference or "**********" if isinstance(value, Secret) else value


SecretTree = Annotated[
    Any, PlainValidator(_tree), PlainSerializer(_shown_tree, when_used="json"), WithJsonSchema({"description": "Any"})
]
"""Anything that YAML can hold, each of whose texts may hold a secret: they are `SecretText`, however deep."""


def public(settings: BaseModel) -> dict[str, Any]:
    """JSON-able settings for storing and showing: references for secrets; defaults and what a preset gives left out."""
    given: frozenset[str] = getattr(settings, "given", frozenset())
    return settings.model_dump(mode="json", exclude_defaults=True, exclude=set(given))
