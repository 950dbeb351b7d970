"""What one call of the kind `rest` is told: where it goes, what it carries, what must be asked before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from crawler.plugins import Secret, SecretText, SecretTree
from sinks.http import Url
from sinks.rest_fill import SECRET, names_in, refuse_unknown
from sinks.rest_meaning import Meaning
from sinks.rest_pick import checked


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError("must begin with one / and go on below the sink's url, e.g. /api/tickets")
    if any(char.isspace() or ord(char) < 32 for char in value):
        raise ValueError("must not hold spaces; write %20, or use `query:`")
    return value


def as_calls(value: object) -> object:
    """One mapping where a list of them is due."""
    return [value] if isinstance(value, Mapping) else value


_REFERENCE = re.compile(r"\$\{[A-Za-z_]")
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
SESSION = "session"
Path = Annotated[str, AfterValidator(_path)]
Pick = Annotated[str, AfterValidator(checked)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Taken = dict[Annotated[str, Field(pattern=_NAME)], Pick]
SIGNED = frozenset("method path query host body body_hash timestamp timestamp_ms date nonce".split())


class Part(BaseModel):
    """Base of the parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Basic(Part):
    user: SecretText = Field(description="User name, or a key that stands for one", examples=["robot"])
    password: Secret | None = Field(
        None, description="Password (default: X, for helpdesks that take a key as the user)", examples=["${PASSWORD}"]
    )


class Login(Part):
    """A call that gives a session, for helpdesks that want one; made at first use, and again when it ran out."""

    url: Url | None = Field(
        None,
        description="Server of the login call when it is another one; it gets no headers or query of the sink",
        examples=["https://login.example"],
    )
    method: Method = Field("POST", description="Method of the login call")
    path: Path = Field(description="Path of the login call", examples=["/session"])
    headers: dict[str, SecretText] = Field(default_factory=dict, description="Headers of the login call only")
    basic: Basic | None = Field(None, description="User name and password of the login call only")
    body: dict[str, SecretTree] | None = Field(None, description="JSON of the login call")
    form: dict[str, SecretText] | None = Field(None, description="Form of the login call, instead of body")
    session: Pick = Field("json:session_token", description="Where the answer holds the session")
    sends: dict[str, str] = Field(
        default_factory=dict,
        description="Headers of every other call (default: none; then {session} stands in paths, queries or bodies)",
        examples=[{"Session-Token": "{session}"}],
    )

    @model_validator(mode="after")
    def _session_only(self) -> Self:
        refuse_unknown(self.sends, frozenset({SESSION}), "sends")
        return self


class Sign(Part):
    """A signature (HMAC) of every call but the login, made of a secret and of what the call holds."""

    secret: Secret = Field(description="Key of the signature", examples=["${DESK_SIGNING_KEY}"])
    key: Literal["text", "base64", "hex"] = Field("text", description="How the key is written")
    hash: Literal["sha256", "sha512", "sha1", "md5"] = Field("sha256", description="Hash of the HMAC")
    text: str = Field(
        "{body}",
        description="What is signed: {method} {path} {query} {host} {body} {body_hash} {timestamp} (seconds) "
        "{timestamp_ms} {date} (as in HTTP) {nonce}",
        examples=["{timestamp}.{method}.{path}.{body}"],
    )
    written: Literal["hex", "base64"] = Field("hex", description="How the signature is written")
    sends: dict[str, str] = Field(
        description="Headers that carry it: {signature}, and the same names",
        examples=[{"X-Signature": "sha256={signature}", "X-Timestamp": "{timestamp}"}],
        min_length=1,
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        refuse_unknown(self.text, SIGNED, "text")
        refuse_unknown(self.sends, SIGNED | {"signature"}, "sends")
        return self


class Request(Part):
    """One HTTP request. Texts are templates: `{name}` stands for a value, percent-encoded in `path`."""

    method: Method = Field("POST", description="Method")
    path: Path = Field(description="Path below url, with its query when it has one", examples=["/api/tickets"])
    query: dict[str, Any] = Field(
        default_factory=dict, description="Query parameters, encoded for you", examples=[{"q": "ref:{key}"}]
    )
    headers: dict[str, SecretText] = Field(default_factory=dict, description="Headers of this call only")
    body: Any = Field(None, description="JSON body", examples=[{"title": "{subject}", "text": "{body}"}])
    form: dict[str, Any] | None = Field(None, description="Form body, instead of JSON")
    multipart: dict[str, Any] | None = Field(None, description="multipart/form-data body, instead of JSON")
    text: str | None = Field(None, description="Body as text, instead of JSON; values are escaped for content_type")
    graphql: str | None = Field(
        None,
        description="GraphQL query or mutation, as it is (no placeholders); its values go in `variables`",
        examples=["mutation($title: String!) { issueCreate(input: {title: $title}) { issue { id } } }"],
    )
    variables: dict[str, Any] = Field(
        default_factory=dict, description="Variables of graphql", examples=[{"title": "{subject}"}]
    )
    content_type: str | None = Field(None, description="Content type of the body", examples=["application/xml"])
    meaning: Meaning = Field(default_factory=dict, description="As `meaning`, for this call only")

    def refuse_mistakes(self, known: frozenset[str], where: str = "") -> None:
        """ValueError for what no template of the call may hold."""
        bodies = [n for n in ("body", "form", "multipart", "text", "graphql") if getattr(self, n) is not None]
        if len(bodies) > 1:
            raise ValueError(f"{where}takes one of body, form, multipart, text and graphql, not {' and '.join(bodies)}")
        if self.variables and self.graphql is None:
            raise ValueError(f"{where}variables are those of `graphql`, which is not there")
        for name in ("path", "query", "variables", *(name for name in bodies if name != "graphql")):
            refuse_unknown(getattr(self, name), known | {SESSION}, where + name)
            if _holds_secret(getattr(self, name)):
                raise ValueError(
                    f"{where}{name}: name the secret in `secrets` of the sink, and write {{secret_NAME}} here"
                )
        refuse_unknown(self.plain_headers(), known | {SESSION}, f"{where}headers")
        for name in sorted({name for text in (self.graphql or "").split('"')[1::2] for name in names_in(text)} & known):
            raise ValueError(
                f"{where}graphql takes no placeholders; declare a variable, and put {{{name}}} in `variables`"
            )

    def plain_headers(self) -> dict[str, str]:
        """The headers that are templates: those that hold no secret."""
        plain = {name: text for name, text in self.headers.items() if not text.looked_up}
        return {name: text.get_secret_value() for name, text in plain.items()}

    def templates(self) -> tuple[Any, ...]:
        """Everything of the call in which placeholders stand."""
        parts = (self.path, self.query, self.plain_headers(), self.body, self.form, self.multipart, self.text)
        return (*parts, self.variables)

    def names(self) -> set[str]:
        """Every placeholder that the call holds."""
        return {name for part in self.templates() for name in names_in(part)}


class Step(Request):
    """A call before or after another one; what it takes is a placeholder of those that follow."""

    method: Method = Field("GET", description="Method")
    take: Taken = Field(
        default_factory=dict,
        description="Values for the calls that follow, name: where the answer holds it; a json: path may hold "
        "placeholders in its conditions",
        examples=[{"customer": "json:customers.0.id"}, {"step": "json:transitions[name={status}].id"}],
    )
    unless: str | None = Field(
        None,
        description="Left out when this value is known already: look it up first, create it when there is none",
        examples=["customer"],
    )

    def templates(self) -> tuple[Any, ...]:
        return (*super().templates(), tuple(self.take.values()))


class Call(Request):
    """A call of the config, with what must be asked before it."""

    known: ClassVar[frozenset[str]] = frozenset()

    before: Annotated[tuple[Step, ...], BeforeValidator(as_calls)] = Field(
        (),
        description="Calls made before this one, each time; `take` names values of their answers",
        examples=[[{"path": "/customers?email={author_email}", "take": {"customer": "json:0.id"}}]],
    )

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        self.refuse_mistakes(check_steps(self.before, self.known, "before"))
        return self

    def steps(self) -> tuple[Step, ...]:
        """The calls around this one."""
        return self.before


def check_steps(steps: tuple[Step, ...], known: frozenset[str], where: str) -> frozenset[str]:
    """What is known behind these steps; ValueError for a placeholder that nothing before it gives."""
    own = known | {SESSION}
    for number, step in enumerate(steps):
        step.refuse_mistakes(known, f"{where}.{number}.")
        refuse_unknown(list(step.take.values()), known, f"{where}.{number}.take")
        for name in step.take:
            if name in own or name.startswith(SECRET):
                raise ValueError(f"{where}.{number}.take: {name!r} has a meaning of its own; choose another name")
        known |= set(step.take)
        if step.unless is not None and step.unless not in known:
            raise ValueError(f"{where}.{number}.unless: nothing before it takes {step.unless!r}")
    return known


def _holds_secret(data: Any) -> bool:
    if isinstance(data, Mapping):
        return any(map(_holds_secret, [*data, *data.values()]))
    if isinstance(data, list | tuple):
        return any(map(_holds_secret, data))
    return isinstance(data, SecretStr) or (isinstance(data, str) and bool(_REFERENCE.search(data)))
