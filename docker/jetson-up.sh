#!/bin/sh
# edge-daemon in a container on a Jetson with JetPack 6.2: docs/jetson.md. From anywhere in a checkout, on the board:
#   docker/jetson-up.sh            checks the board, then build, compile and run
#   docker/jetson-up.sh build      the image (gigabytes of download, and minutes of compiling)
#   docker/jetson-up.sh compile    the TensorRT plan for this board's GPU, kept in the volume; options are those
#                                  of edge-daemon compile
#   docker/jetson-up.sh run        the daemon, started again whenever it leaves or the board boots
# A configuration of one's own: EDGE_DAEMON_CONFIG=/etc/edge-daemon (a folder with config.toml)
set -eu

IMAGE=${IMAGE:-edge-daemon:jetson}
NAME=${NAME:-edge-daemon}
CONFIG=${EDGE_DAEMON_CONFIG:-}
cd "$(dirname "$0")/.."

fail() {
    echo "error: $*" >&2
    exit 1
}

check() {
    [ "$(uname -m)" = aarch64 ] || fail "this is a $(uname -m), no Jetson"
    [ -r /etc/nv_tegra_release ] || fail "/etc/nv_tegra_release isn't there: no Jetson Linux"
    grep -q 'R36 .*REVISION: 4' /etc/nv_tegra_release || fail \
        "this script is for JetPack 6.2 (Jetson Linux R36, revision 4), found: $(head -1 /etc/nv_tegra_release);" \
        "JetPack 7 needs no container, see docs/jetson.md"
    docker info >/dev/null 2>&1 || fail "docker doesn't answer: is it installed, and may you use it?"
    docker info --format '{{json .Runtimes}}' | grep -q '"nvidia"' || fail \
        "docker has no runtime nvidia: apt install nvidia-container-toolkit, then" \
        "nvidia-ctk runtime configure --runtime=docker and systemctl restart docker"
    mode=$(nvpmodel -q 2>/dev/null | tr '\n' ' ' || true)
    echo "power mode: ${mode:-unknown}"
}

# Both of --runtime and --gpus: on Jetson Linux 36.4 either alone has been reported not to be enough. The
# device files belong to the groups video and render. No --read-only: the runtime writes a linker cache.
on_gpu() {
    video=$(getent group video | cut -d: -f3)
    render=$(getent group render | cut -d: -f3)
    [ -z "$CONFIG" ] || set -- --volume "$CONFIG:/etc/edge-daemon:ro" "$@"
    docker run --runtime nvidia --gpus all --group-add "${video:-44}" ${render:+--group-add "$render"} \
        --volume edge-daemon:/var/lib/edge-daemon --cap-drop=ALL --security-opt=no-new-privileges "$@"
}

build() {
    docker build --file docker/Dockerfile.jetson --build-arg JOBS="${JOBS:-4}" --tag "$IMAGE" .
}

compile() {
    on_gpu --rm "$IMAGE" compile "$@"
}

run() {
    docker rm --force "$NAME" >/dev/null 2>&1 || true
    on_gpu --detach --name "$NAME" --restart=unless-stopped --stop-timeout=35 \
        --publish 127.0.0.1:5555:5555 --publish 127.0.0.1:9108:9108 "$IMAGE" run \
        ${CONFIG:+--config /etc/edge-daemon/config.toml}
    echo "running; what it says: docker logs --follow $NAME; whether it is ready: curl http://127.0.0.1:9108/readyz"
}

case ${1:-all} in
    all)
        set --
        check
        build
        compile "$@"
        run
        ;;
    build | compile | run)
        check
        "$@"
        ;;
    *) fail "usage: docker/jetson-up.sh [build|compile [OPTION...]|run]" ;;
esac
