"""The errors a person is meant to read: what went wrong, and what to do about it."""

from mcp_optimizer.redaction.texts import redact_text


class OptimizerError(Exception):
    """Something a user can act on. ``remedy`` is the next step, where one is known.

    Errors are shown, logged and stored in many places, so no credential gets into one (S7).
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        message = redact_text(message)
        super().__init__(message)
        self.message = message
        self.remedy = remedy and redact_text(remedy)

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class NotFoundError(OptimizerError):
    """No registry server, workload or tool of that name."""


class AmbiguousError(OptimizerError):
    """The name stands for several things; the message lists them."""


class TooManyError(OptimizerError):
    """More was asked for than is given at once."""


class TooSlowError(OptimizerError):
    """A search took longer than it may, and was ended."""


class TooBusyError(OptimizerError):
    """More searches are under way than may be; this one was not begun."""


class CallError(OptimizerError):
    """A tool of an MCP server could not be called, or its server refused the call."""


class ServeError(OptimizerError):
    """The MCP server can't be bound where it should be."""


class ReadOnlyError(OptimizerError):
    """A change was asked of a program that was opened read-only."""


class LearningOffError(OptimizerError):
    """Learning from use was asked for while the settings have it off."""


class SourceError(OptimizerError):
    """A catalog or a listing could not be read at all. Nothing that is stored changes."""


class NothingThereError(SourceError):
    """The source was read, and holds nothing of what is asked for."""


class StoreError(OptimizerError):
    """The database can't be opened, read or written."""


class StoreBusyError(StoreError):
    """Another process held the write lock for longer than we wait."""


class EmbeddingError(OptimizerError):
    """A model can't be loaded, or a text can't be embedded."""


class ModelUnavailableError(EmbeddingError):
    """The model can't be loaded at all, so no text can be embedded."""


class ModelMismatchError(EmbeddingError):
    """The database holds embeddings of another model (E3)."""
