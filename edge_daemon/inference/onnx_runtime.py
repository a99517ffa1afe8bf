"""ONNX Runtime that doesn't report to its maker. The one module that imports it.

From 1.31 its Linux builds send what they run to their maker and leave an identifier of the computer
in `~/.cache`, from the moment they are imported; only a variable set before keeps them from
that (<https://github.com/microsoft/onnxruntime/pull/27379>). A plant's network is no place for it.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

__all__ = ["onnxruntime", "runtime"]
