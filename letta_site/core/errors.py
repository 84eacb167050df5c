"""Every expected failure of the product. No HTTP here: `letta_site/errors.py` maps them."""


class AppError(Exception):
    """A failure the caller can act on: a stable code, what happened, what to do."""

    code = "ERROR"

    def __init__(self, what: str, *, todo: str = "", **extra: object) -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo
        self.extra = extra


class Invalid(AppError):
    """A value is not acceptable."""

    code = "INVALID_ARGUMENT"


class Malformed(AppError):
    """A request does not have the shape its endpoint takes."""

    code = "MALFORMED"


class NotFound(AppError):
    """Nothing with this id is visible to the caller."""

    code = "NOT_FOUND"


class Conflict(AppError):
    """The current state does not allow this."""

    code = "CONFLICT"


class Gone(AppError):
    """It was there once, and is kept no longer."""

    code = "EXPIRED"


class TooLarge(AppError):
    """A body or value exceeds its limit."""

    code = "TOO_LARGE"


class Unsupported(AppError):
    """A file is of a kind that is not read here."""

    code = "UNSUPPORTED_TYPE"


class Unauthorized(AppError):
    """The caller did not show a valid credential."""

    code = "UNAUTHORIZED"


class Forbidden(AppError):
    """The caller is known, or foreign, and may not do this."""

    code = "FORBIDDEN"


class NotReady(AppError):
    """The contract names this operation, but this version does not carry it out yet."""

    code = "NOT_IMPLEMENTED"


class LLMError(AppError):
    """The model's server failed. `kind` is one of Letta's error types."""

    code = "LLM_ERROR"

    def __init__(self, kind: str, what: str, *, todo: str = "", detail: str = "") -> None:
        super().__init__(what, todo=todo)
        self.kind = kind
        self.detail = detail


class McpFailure(AppError):
    """An MCP server cannot be used: it is down, refuses, or speaks another language."""

    code = "MCP_ERROR"


class McpTimeout(McpFailure):
    """An MCP server did not answer in time."""

    code = "MCP_TIMEOUT"


class McpSignInNeeded(McpFailure):
    """An MCP server wants a person to sign in there first."""

    code = "MCP_SIGN_IN_NEEDED"
