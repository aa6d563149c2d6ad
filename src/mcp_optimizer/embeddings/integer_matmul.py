"""A model whose weights are 8-bit integers, made to multiply in integers.

Such a model stores each weight as ``int8`` with one scale a column, and casts it back to float before every use: small
on disk, but no faster than the float model. Here each product of activations with such a weight becomes an integer
product (W8A8): the activations are quantized as they come, the weights stay exactly as they are. A lookup in such a
table casts the rows it found instead of the whole table. Names follow the ONNX operators.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

_ZERO_POINT: Final = "weight_zero_point"
_MIDDLE: Final = 128
"""What stands for zero when weights are shifted into unsigned integers."""


class _Quantized(NamedTuple):
    """The names of a weight's integers and of its scales."""

    integers: str
    scales: str


def with_integer_matmul(content: bytes, *, signed: bool) -> bytes:
    """The ONNX model in ``content`` with integer products, serialized.

    ``signed``: whether weights stay ``int8``. Shifted into ``uint8`` they give the same products, in twice the time,
    but on every processor (see ``multiplies_exactly``).
    """
    import onnx  # noqa: PLC0415 (needed once in the life of a cache)

    model = onnx.load_model_from_string(content)
    graph = model.graph
    weights, nodes = _split(graph)
    rewritten = [result for node in nodes for result in _rewritten(node, weights, signed=signed)]
    del graph.node[:]
    graph.node.extend(_each_once(rewritten))
    if not signed:
        multiplied = {node.input[1] for node in graph.node if node.op_type == "MatMulInteger"}
        _shift(graph.initializer, multiplied)
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(_MIDDLE, dtype=np.uint8), _ZERO_POINT))
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def multiplies_exactly() -> bool:
    """Whether this processor's products of unsigned activations with signed weights don't overflow.

    Processors with AVX2 or AVX-512 but without VNNI add pairs of such products in 16 bits, which overflow silently.
    """
    import onnxruntime  # noqa: PLC0415
    from onnx import TensorProto, helper  # noqa: PLC0415

    rows, inner, columns = 4, 64, 32
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "largest",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, [rows, inner]),
            helper.make_tensor_value_info("b", TensorProto.INT8, [inner, columns]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [rows, columns])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    largest, weight = np.iinfo(np.uint8).max, np.iinfo(np.int8).max
    (products,) = session.run(
        None, {"a": np.full((rows, inner), largest, np.uint8), "b": np.full((inner, columns), weight, np.int8)}
    )
    return bool((np.asarray(products) == inner * largest * weight).all())


def _split(graph: "GraphProto") -> tuple[dict[str, _Quantized], list["NodeProto"]]:
    """Each quantized weight by the name of its float value, and the nodes that do something else than cast weights."""
    stored = {tensor.name for tensor in graph.initializer}
    casts: dict[str, str] = {}
    weights: dict[str, _Quantized] = {}
    others: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            casts[node.output[0]] = node.input[0]
        elif node.op_type == "Mul" and node.input[0] in casts and node.input[1] in stored:
            weights[node.output[0]] = _Quantized(casts[node.input[0]], node.input[1])
        else:
            others.append(node)
    return weights, others


def _rewritten(node: "NodeProto", weights: Mapping[str, _Quantized], *, signed: bool) -> Iterator["NodeProto"]:
    if node.op_type == "MatMul" and node.input[1] in weights:
        yield from _product(node.input[0], weights[node.input[1]], node.output[0], signed=signed)
    elif node.op_type == "Gather" and node.input[0] in weights:
        yield from _lookup(weights[node.input[0]], node.input[1], node.output[0])
    elif used := sorted(set(node.input) & weights.keys()):
        raise ValueError(f"{node.op_type} uses the quantized weight {used[0]} in a way that is not known")
    else:
        yield node


def _product(activations: str, weight: _Quantized, result: str, *, signed: bool) -> Iterator["NodeProto"]:
    """``activations @ weight`` in integers, scaled back to float."""
    from onnx import TensorProto, helper  # noqa: PLC0415

    quantized = [f"{activations}_quantized", f"{activations}_scale", f"{activations}_zero_point"]
    integers, floats, scale = f"{result}_integers", f"{result}_floats", f"{result}_scale"
    yield helper.make_node("DynamicQuantizeLinear", [activations], quantized)
    zero_points = [quantized[2]] if signed else [quantized[2], _ZERO_POINT]
    yield helper.make_node("MatMulInteger", [quantized[0], weight.integers, *zero_points], [integers])
    yield helper.make_node("Cast", [integers], [floats], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [quantized[1], weight.scales], [scale])
    yield helper.make_node("Mul", [floats, scale], [result])


def _lookup(table: _Quantized, places: str, result: str) -> Iterator["NodeProto"]:
    """The rows of ``table`` at ``places``, as float."""
    from onnx import TensorProto, helper  # noqa: PLC0415

    integers, floats, scales = f"{result}_integers", f"{result}_floats", f"{result}_scales"
    yield helper.make_node("Gather", [table.integers, places], [integers])
    yield helper.make_node("Cast", [integers], [floats], to=TensorProto.FLOAT)
    yield helper.make_node("Gather", [table.scales, places], [scales])
    yield helper.make_node("Mul", [floats, scales], [result])


def _each_once(nodes: Iterable["NodeProto"]) -> Iterator["NodeProto"]:
    """Activations that several weights multiply are quantized once."""
    results: set[str] = set()
    for node in nodes:
        if node.output[0] not in results:
            results.update(node.output)
            yield node


def _shift(tensors: Iterable["TensorProto"], names: set[str]) -> None:
    """The tensors so named from ``int8`` into ``uint8``, zero at the middle."""
    from onnx import numpy_helper  # noqa: PLC0415

    for tensor in tensors:
        if tensor.name in names:
            shifted = (numpy_helper.to_array(tensor).astype(np.int16) + _MIDDLE).astype(np.uint8)
            tensor.CopyFrom(numpy_helper.from_array(shifted, tensor.name))
