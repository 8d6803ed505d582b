"""onnxruntime: a model of Gemm, Relu and Softmax from the same weights."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers import Setting
from benchmarks.workloads import Prediction as PredictionTask
from benchmarks.workloads import Problem


def model_of(problem: Problem) -> onnx.ModelProto:
    """The network of these weights as an ONNX model from X to Y."""
    weights, nodes, stored, a = problem.weights, [], [], "X"
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    for k, (W, b) in enumerate(layers, start=1):
        stored += [numpy_helper.from_array(W, f"W{k}"), numpy_helper.from_array(b[0], f"b{k}")]
        last = k == len(layers)
        nodes.append(helper.make_node("Gemm", [a, f"W{k}", f"b{k}"], [f"z{k}"]))
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"z{k}"], [f"a{k}"]))
        a = f"a{k}"
    sizes = {"X": weights[0].shape[0], a: weights[-1].shape[1]}
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in sizes.items()
    ]
    graph = helper.make_graph(nodes, "network", infos[:1], infos[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


class Prediction:
    """`session.run` on a NumPy array."""

    def __init__(self, task: PredictionTask, problem: Problem, setting: Setting) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = setting.threads, 1
        self.session = onnxruntime.InferenceSession(
            model_of(problem).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.X = problem.X

    def reset(self) -> None:
        pass

    def run(self, times: int) -> float:
        for _ in range(times):
            (output,) = self.session.run(None, {"X": self.X})
        return float(np.mean(output**2))
