"""What every source of a web address has. Knows nothing of Scrapy: the child that reads streams does without it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from crawler import plugins


class SourceSettings(plugins.Settings):
    """What every source of a web address has; kinds add their own fields."""

    url: str = Field(description="Address to read, http or https.", examples=["https://forum.example/banks/"])
    pages: int = Field(default=10, ge=1, le=1000, description="How many pages one run may read.", examples=[10])
    timezone: str = Field(
        default="UTC",
        description="Of dates that name no zone; else the config's own.",
        examples=["Europe/Kyiv"],
    )

    @model_validator(mode="before")
    @classmethod
    def _house_zone(cls, given: Any, info: ValidationInfo) -> Any:
        """A source without a zone of its own is read in the config's."""
        if isinstance(given, dict) and info.context and info.context.get("timezone"):
            return {"timezone": info.context["timezone"], **given}
        return given

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")) or not value.split("://", 1)[1].strip("/ "):
            raise ValueError(f"must be an address that begins with http:// or https://, not {value!r}")
        return value
