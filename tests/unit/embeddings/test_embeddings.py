"""Text to vectors (E1-E4), with the real offline model."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcp_optimizer.config import OFFLINE_FLOAT_MODEL, OFFLINE_MODEL, Settings
from mcp_optimizer.domain.vectors import Embedder, mean_vector
from mcp_optimizer.embeddings import FastEmbedder, offline_model, open_embedder
from mcp_optimizer.embeddings.integer_matmul import multiplies_exactly, with_integer_matmul
from mcp_optimizer.embeddings.offline_model import DIMENSION, prepare_offline_model
from mcp_optimizer.errors import EmbeddingError, ModelUnavailableError
from tests.support.embedders import FakeEmbedder

TEXTS = [
    "weather: get forecast. Get the weather forecast for a city.",
    "mail: send message.",
    "database: run query. Run a read-only SQL query and return its rows as a table with a header line.",
    "weather: get alerts. Weather alerts for a region.",
    "files: read",
]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to open a connection fails the test."""

    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.usefixtures("no_network")
async def test_e3_the_default_model_needs_no_network(model_cache: Path) -> None:
    embedder = open_embedder(Settings(cache_dir=model_cache))
    assert embedder.model == OFFLINE_MODEL
    (vector,) = await embedder.embed(["find the right tool"])
    assert vector.shape == (await embedder.dimension(),) == (DIMENSION,)


def test_what_runs_the_model_tells_nobody_and_keeps_no_id_of_the_machine(tmp_path: Path) -> None:
    """onnxruntime would note facts of the machine in the user's cache, and send them to its maker."""
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    code = "import mcp_optimizer, onnxruntime; onnxruntime.get_available_providers()"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONDONTWRITEBYTECODE": "1", **places}, check=True)
    assert list(tmp_path.rglob("*")) == []


async def test_vectors_are_unit_vectors_in_the_order_given(real_embedder: FastEmbedder) -> None:
    together = await real_embedder.embed(TEXTS)
    assert len(together) == len(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        (alone,) = await real_embedder.embed([text])
        np.testing.assert_array_equal(vector, alone, "what else is embedded does not matter")
    backwards = await real_embedder.embed(TEXTS[::-1])
    np.testing.assert_allclose(np.stack(backwards[::-1]), np.stack(together), atol=1e-6)


async def test_the_same_text_gives_the_same_vector(real_embedder: FastEmbedder, model_cache: Path) -> None:
    (first,), (again,) = await real_embedder.embed(TEXTS[:1]), await real_embedder.embed(TEXTS[:1])
    np.testing.assert_array_equal(first, again)
    (elsewhere,) = await FastEmbedder(OFFLINE_MODEL, cache_directory=model_cache, threads=1).embed(TEXTS[:1])
    np.testing.assert_array_equal(first, elsewhere)


async def test_e3_integer_products_change_a_vector_a_little(real_embedder: FastEmbedder, model_cache: Path) -> None:
    floats = FastEmbedder(OFFLINE_FLOAT_MODEL, cache_directory=model_cache, threads=1)
    ours, theirs = np.stack(await real_embedder.embed(TEXTS)), np.stack(await floats.embed(TEXTS))
    alike = (ours * theirs).sum(axis=1)
    assert 0.98 < alike.min() < 0.9999, "so they are two models, near enough to be of one quality"


def run_with(content: bytes) -> np.ndarray:
    """What a model makes of some tokens."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    tokens = np.array([[101, 2131, 4633, 19939, 102]], dtype=np.int64)
    given = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
    wanted = {item.name for item in session.get_inputs()}
    return np.asarray(session.run(None, {name: value for name, value in given.items() if name in wanted})[0])


def test_weights_shifted_for_older_processors_give_the_same_products() -> None:
    content = offline_model._verified(*offline_model._WEIGHTS)
    signed, unsigned = (run_with(with_integer_matmul(content, signed=signed)) for signed in (True, False))
    if multiplies_exactly():
        np.testing.assert_allclose(signed, unsigned, atol=1e-4)
    original = run_with(content)
    cosine = (unsigned * original).sum() / np.linalg.norm(unsigned) / np.linalg.norm(original)
    assert cosine > 0.97


def test_a_weight_that_is_used_in_a_way_not_known_is_refused() -> None:
    weight = numpy_helper.from_array(np.ones((2, 2), dtype=np.int8), "w")
    scale = numpy_helper.from_array(np.ones(2, dtype=np.float32), "s")
    nodes = [
        helper.make_node("Cast", ["w"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["c", "s"], ["m"]),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "odd", ends[:1], ends[1:], [weight, scale])
    with pytest.raises(ValueError, match="Add uses the quantized weight m"):
        with_integer_matmul(helper.make_model(graph).SerializeToString(), signed=True)


async def test_meaning_is_in_the_vectors(real_embedder: FastEmbedder) -> None:
    asked, *offered = await real_embedder.embed(["will it rain tomorrow", *TEXTS])
    assert int(np.argmax([float(asked @ vector) for vector in offered])) in {0, 3}


@pytest.mark.parametrize("text", ["", " ", "\0", "\u202e\x1b[31m", "\U0001f9ed", "word " * 5000, "東京の天気"])
async def test_any_text_can_be_embedded(real_embedder: FastEmbedder, text: str) -> None:
    (vector,) = await real_embedder.embed([text])
    assert np.isfinite(vector).all()


async def test_no_text_gives_no_vector(real_embedder: FastEmbedder) -> None:
    assert await real_embedder.embed([]) == []


class _Model:
    """Stands for a loaded model; notes the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def embed(self, texts: Sequence[str], **_: Any) -> list[Any]:
        self.batches.append(list(texts))
        return [np.full(3, len(text) + 1.0) for text in texts]


async def test_e1_texts_are_embedded_in_batches_of_like_length(tmp_path: Path) -> None:
    embedder = FastEmbedder("any", cache_directory=tmp_path, batch_size=4)
    model = _Model()
    embedder._loaded = model  # ty: ignore[invalid-assignment]
    told: list[int] = []
    lengths = [400, 10, 400, 30, 400, 20, 400, 400, 10, 800]
    await embedder.embed(["x" * length for length in lengths], told.append)
    batches = [[len(text) for text in batch] for batch in model.batches]
    assert [length for batch in batches for length in batch] == sorted(lengths)
    assert batches == [[10, 10, 20, 30], [400, 400, 400, 400], [400, 800]], "each padded to the same size in all"
    assert told == [4, 8, 10]


async def test_cancelling_ends_after_the_batch_under_way(tmp_path: Path) -> None:
    embedder = FastEmbedder("any", cache_directory=tmp_path, batch_size=1)
    model = _Model()
    embedder._loaded = model  # ty: ignore[invalid-assignment]
    running = asyncio.create_task(embedder.embed(["text"] * 100_000))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.05)
    done = len(model.batches)
    await asyncio.sleep(0.05)
    assert done == len(model.batches) < 100_000


@pytest.mark.parametrize("bad", [[0.0, 0.0, 0.0], [float("nan"), 1.0, 0.0], [float("inf"), 1.0, 0.0]])
async def test_a_vector_without_a_direction_is_an_error(tmp_path: Path, bad: list[float]) -> None:
    embedder = FastEmbedder("any", cache_directory=tmp_path)
    model = _Model()
    model.embed = lambda texts, **_: [np.array(bad) for _ in texts]  # ty: ignore[invalid-assignment]
    embedder._loaded = model  # ty: ignore[invalid-assignment]
    with pytest.raises(EmbeddingError, match="without a direction"):
        await embedder.embed(["text"])


@pytest.mark.parametrize("part", ["_WEIGHTS", "_TOKENIZER"])
async def test_e3_a_file_that_is_not_the_one_it_should_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    distribution, path, _ = getattr(offline_model, part)
    monkeypatch.setattr(offline_model, part, (distribution, path, "0" * 64))
    with pytest.raises(EmbeddingError, match="not the file it should be") as caught:
        prepare_offline_model(tmp_path)
    assert distribution in (caught.value.remedy or "")
    with pytest.raises(ModelUnavailableError):
        await FastEmbedder(OFFLINE_MODEL, cache_directory=tmp_path).embed(["text"])


def test_e3_a_missing_part_is_a_readable_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline_model, "_WEIGHTS", ("no-such-distribution", "model.onnx", "0" * 64))
    with pytest.raises(EmbeddingError, match=r"model\.onnx is missing"):
        prepare_offline_model(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_e3_a_prepared_file_that_was_tampered_with_is_not_used(tmp_path: Path, name: str) -> None:
    prepared = prepare_offline_model(tmp_path) / name
    good = prepared.read_bytes()
    prepared.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert (prepare_offline_model(tmp_path) / name).read_bytes() == good


def test_e3_a_half_prepared_model_is_made_anew(tmp_path: Path) -> None:
    directory = prepare_offline_model(tmp_path)
    (directory / "model.onnx").write_bytes(b"half")
    (directory / "config.json").unlink()
    again = prepare_offline_model(tmp_path)
    assert again == directory
    assert (again / "model.onnx").stat().st_size > 1_000_000
    assert (again / "config.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [directory.name], "nothing is left lying about"


def test_e3_what_a_killed_process_left_is_removed_in_the_end(tmp_path: Path) -> None:
    old, young = tmp_path / ".model-old", tmp_path / ".model-young"
    for left in (old, young):
        left.mkdir()
        (left / "model.onnx").write_bytes(b"half")
    os.utime(old, (0, 0))
    prepare_offline_model(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


def test_e3_many_that_prepare_at_once_end_with_a_whole_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: prepare_offline_model(tmp_path), range(4)))
    (directory,) = made
    assert offline_model._sound(directory)
    assert [path.name for path in tmp_path.iterdir()] == [directory.name]


def test_e3_a_cache_that_can_t_be_written_is_a_readable_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(EmbeddingError, match="can't prepare the offline model"):
        prepare_offline_model(blocker / "cache")


@pytest.mark.usefixtures("no_network")
async def test_e3_a_model_that_fastembed_does_not_know(tmp_path: Path) -> None:
    embedder = FastEmbedder("nobody/no-such-model", cache_directory=tmp_path)
    with pytest.raises(EmbeddingError, match="knows no model named nobody/no-such-model"):
        await embedder.dimension()
    with pytest.raises(ModelUnavailableError) as caught:
        await embedder.embed(["text"])
    assert OFFLINE_MODEL in (caught.value.remedy or "")


@pytest.mark.usefixtures("no_network")
async def test_e4_a_known_model_tells_its_dimension_without_loading(tmp_path: Path) -> None:
    assert await FastEmbedder("BAAI/bge-base-en-v1.5", cache_directory=tmp_path).dimension() == 768


def test_the_mean_is_a_unit_vector() -> None:
    east, north = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    mean = mean_vector([east, north])
    assert mean is not None
    np.testing.assert_allclose(mean, [0.5**0.5, 0.5**0.5], atol=1e-6)
    assert mean_vector([]) is None
    assert mean_vector([east, -east]) is None, "opposite directions have no mean"


async def test_the_fake_is_an_embedder() -> None:
    fake: Embedder = FakeEmbedder(dimension=7)
    one, other, same = await fake.embed(["get weather", "send mail", "get weather"])
    assert one.shape == (7,) == (await fake.dimension(),)
    assert np.linalg.norm(other) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(one, same)
