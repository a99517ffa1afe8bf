#!/bin/sh
# A wheel of NVIDIA's open TensorRT bindings for a Python that JetPack has none for:
#   docker/jetson-bindings.sh FOLDER
# On a Jetson, or in its l4t-jetpack image: libnvinfer-dev, libnvonnxparsers-dev, CUDA's headers, cmake, g++,
# make, git and the headers of the Python named by PYTHON (python3.12) must be there. Takes the sources of the
# very TensorRT version that is installed. Needs the network.
set -eu

mkdir -p "${1:?usage: docker/jetson-bindings.sh FOLDER}"
FOLDER=$(cd "$1" && pwd)
PYTHON=${PYTHON:-python3.12}
INCLUDE=/usr/include/$(uname -m)-linux-gnu
JOBS=${JOBS:-4} # a compiler takes up to 1 GB here: more starve a board of 8 GB

[ -r "$INCLUDE/NvInferVersion.h" ] || {
    echo "error: $INCLUDE/NvInferVersion.h isn't there; install libnvinfer-dev and libnvonnxparsers-dev" >&2
    exit 1
}
part() { awk -v name="NV_TENSORRT_$1" '$2 == name { print $3 }' "$INCLUDE/NvInferVersion.h"; }
VERSION=$(part MAJOR).$(part MINOR).$(part PATCH)
MINOR=$("$PYTHON" -c 'import sys; print(sys.version_info.minor)')

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
"$PYTHON" -m venv "$WORK/venv"
"$WORK/venv/bin/pip" install --quiet "pybind11>=2.12,<3" setuptools wheel
git clone --quiet --depth 1 --branch "v$VERSION" https://github.com/NVIDIA/TensorRT.git "$WORK/tensorrt"

# Where the sources look for what is not their own: EXT_PATH/pybind11/include, EXT_PATH/pythonX.Y/include, and
# the parser's header, which is a submodule of theirs, but comes with the board's library, too.
mkdir -p "$WORK/external/python3.$MINOR" "$WORK/tensorrt/parsers/onnx"
ln -s "$("$WORK/venv/bin/python" -c 'import pybind11; print(pybind11.__path__[0])')" "$WORK/external/pybind11"
ln -s "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')" "$WORK/external/python3.$MINOR/include"
ln -sf "$INCLUDE/NvOnnxParser.h" "$WORK/tensorrt/parsers/onnx/"

cd "$WORK/tensorrt/python"
sed -i "s/make -j[0-9]*/make -j$JOBS/" build.sh
# TensorRT's library needs parts of the driver that are there only while a container runs on the board: so the
# wheel is made here and not tried out.
PATH="$WORK/venv/bin:$PATH" TENSORRT_MODULE=tensorrt PYTHON_MAJOR_VERSION=3 PYTHON_MINOR_VERSION="$MINOR" \
    TARGET_ARCHITECTURE="$(uname -m)" TRT_OSSPATH="$WORK/tensorrt" EXT_PATH="$WORK/external" bash ./build.sh

find build -name 'tensorrt-*.whl' -exec cp {} "$FOLDER/" \;
ls "$FOLDER"/tensorrt-*.whl
