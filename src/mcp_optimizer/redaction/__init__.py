"""What is a credential, and texts without them (S7). Decided by whole words of names and by the look of values.

Redaction is for eyes: an identity or an address is never redacted, only sealed (see :mod:`..domain.sealing`).
"""

from mcp_optimizer.redaction.credentials import SEAL
from mcp_optimizer.redaction.texts import redact_json, redact_text
from mcp_optimizer.redaction.urls import has_credential, redact_url, replace_credentials

__all__ = ["SEAL", "has_credential", "redact_json", "redact_text", "redact_url", "replace_credentials"]
