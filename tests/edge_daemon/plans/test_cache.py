"""A plan is handed out whole and for what it was made for, or with the reason why not."""

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_daemon.plans.cache import PlanCache, PlanRecord, cache_folder, read_record
from edge_daemon.plans.faults import (
    BuildStoppedError,
    NoPlanError,
    PlanFault,
    PlanRejectedError,
)
from edge_daemon.plans.fingerprint import PlanKey
from edge_daemon.plans.layers import PlanContents
from tests.conftest import PATIENCE_S, wait_until

PLAN = b"an engine" * 1000


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    folder = tmp_path / "plans"
    folder.mkdir(mode=0o755)
    return PlanCache(folder)


def put(cache: PlanCache, key: PlanKey, *, built_s: float = 1.0) -> Path:
    partial = cache.partial(key)
    partial.write_bytes(PLAN)
    record = PlanRecord(
        key=key,
        sha256=hashlib.sha256(PLAN).hexdigest(),
        size=len(PLAN),
        built_s=built_s,
        contents=PlanContents(tensors=(), layers={}),
    )
    return cache.commit(partial, record)


def fault_of(cache: PlanCache, key: PlanKey) -> PlanFault:
    with pytest.raises(PlanRejectedError) as caught:
        cache.find(key)
    return caught.value.fault


def test_what_was_put_down_is_found(cache: PlanCache, key: PlanKey) -> None:
    path = put(cache, key)
    assert cache.find(key) == path
    assert path.read_bytes() == PLAN
    assert read_record(path).key == key
    assert sorted(one.suffix for one in cache.folder.iterdir()) == [".json", ".plan"]


def test_an_empty_or_missing_folder_has_no_plan(key: PlanKey, tmp_path: Path) -> None:
    assert fault_of(PlanCache(tmp_path / "nowhere"), key) is PlanFault.MISSING


def test_a_truncated_plan_is_found_out(cache: PlanCache, key: PlanKey) -> None:
    path = put(cache, key)
    path.write_bytes(PLAN[:-1])
    assert fault_of(cache, key) is PlanFault.TRUNCATED


def test_a_single_changed_bit_is_found_out(cache: PlanCache, key: PlanKey) -> None:
    path = put(cache, key)
    path.write_bytes(bytes([PLAN[0] ^ 1]) + PLAN[1:])
    assert fault_of(cache, key) is PlanFault.DAMAGED


def test_a_plan_without_its_record_is_refused(cache: PlanCache, key: PlanKey) -> None:
    put(cache, key).with_suffix(".json").unlink()
    assert fault_of(cache, key) is PlanFault.NO_RECORD


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', "\0" * 100])
def test_a_record_that_is_none_is_refused(cache: PlanCache, key: PlanKey, text: str) -> None:
    put(cache, key).with_suffix(".json").write_text(text)
    assert fault_of(cache, key) is PlanFault.BAD_RECORD


def test_a_record_of_a_newer_schema_is_refused(cache: PlanCache, key: PlanKey) -> None:
    record = put(cache, key).with_suffix(".json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"schema": 2}))
    assert fault_of(cache, key) is PlanFault.BAD_RECORD


def test_a_plan_of_another_gpu_under_this_name_is_foreign(cache: PlanCache, key: PlanKey) -> None:
    other = key.model_copy(update={"gpu": "NVIDIA L4"})
    path = put(cache, other)
    for suffix in (".plan", ".json"):
        path.with_suffix(suffix).rename(cache.path(key).with_suffix(suffix))
    with pytest.raises(PlanRejectedError, match="made for another gpu") as caught:
        cache.find(key)
    assert caught.value.fault is PlanFault.FOREIGN


@pytest.mark.parametrize("field", ["driver", "flavour_version", "builder_version"])
def test_an_update_makes_a_plan_stale_and_the_message_says_which(
    cache: PlanCache, key: PlanKey, field: str
) -> None:
    put(cache, key)
    new = key.model_copy(update={field: "999"})
    with pytest.raises(PlanRejectedError, match=f"stale: {field} was .*, is 999") as caught:
        cache.find(new)
    assert caught.value.fault is PlanFault.STALE


def test_a_plan_of_another_bundle_or_gpu_is_not_called_stale(
    cache: PlanCache, key: PlanKey
) -> None:
    put(cache, key)
    assert fault_of(cache, key.model_copy(update={"bundle": "c" * 64})) is PlanFault.MISSING
    assert fault_of(cache, key.model_copy(update={"gpu": "NVIDIA L4"})) is PlanFault.MISSING


def test_a_new_plan_removes_those_it_makes_stale_and_no_others(
    cache: PlanCache, key: PlanKey
) -> None:
    stale = put(cache, key)
    other_bundle = put(cache, key.model_copy(update={"bundle": "c" * 64}))
    other_gpu = put(cache, key.model_copy(update={"gpu": "NVIDIA L4", "driver": "1"}))
    new = put(cache, key.model_copy(update={"driver": "590"}))
    assert not stale.exists()
    assert not stale.with_suffix(".json").exists()
    assert {other_bundle, other_gpu, new} == set(cache.folder.glob("*.plan"))


def test_what_the_builder_did_not_write_is_not_put_down(cache: PlanCache, key: PlanKey) -> None:
    record = read_record(put(cache, key))
    cache.discard(key)
    partial = cache.partial(key)
    partial.write_bytes(PLAN[:-1])
    with pytest.raises(PlanRejectedError, match="isn't what the builder wrote"):
        cache.commit(partial, record)
    assert fault_of(cache, key) is PlanFault.MISSING


def test_earlier_builds_of_the_same_kind_tell_how_long_it_takes(
    cache: PlanCache, key: PlanKey
) -> None:
    assert cache.expected_s(key) is None
    put(cache, key, built_s=30.0)
    put(cache, key.model_copy(update={"bundle": "c" * 64}), built_s=40.0)
    put(cache, key.model_copy(update={"gpu": "NVIDIA L4"}), built_s=1000.0)
    assert cache.expected_s(key) == 35.0


def test_half_built_plans_of_the_dead_are_removed(cache: PlanCache, key: PlanKey) -> None:
    left = cache.partial(key)
    left.write_bytes(b"half")
    with cache.building(threading.Event(), lambda: None):
        assert not left.exists()


def test_a_second_builder_waits_until_the_first_process_is_dead(cache: PlanCache) -> None:
    script = (
        "import sys, threading, time; from pathlib import Path\n"
        "from edge_daemon.plans.cache import PlanCache\n"
        "with PlanCache(Path(sys.argv[1])).building(threading.Event(), lambda: None):\n"
        "    print('mine', flush=True); time.sleep(60)"
    )
    waited = threading.Event()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(cache.folder)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"

        def kill_when_waited_for() -> None:
            waited.wait(PATIENCE_S)
            holder.kill()

        threading.Thread(target=kill_when_waited_for).start()
        with cache.building(threading.Event(), waited.set):
            assert waited.is_set()


def test_waiting_for_another_builder_can_be_given_up(cache: PlanCache) -> None:
    stop = threading.Event()
    with (
        cache.building(threading.Event(), lambda: None),
        pytest.raises(BuildStoppedError),
        cache.building(stop, stop.set),
    ):
        pass


def test_a_folder_that_others_may_write_to_is_refused(cache: PlanCache, key: PlanKey) -> None:
    put(cache, key)
    cache.folder.chmod(0o777)
    with pytest.raises(NoPlanError, match="chmod go-w"):
        cache.find(key)
    with (
        pytest.raises(NoPlanError, match="chmod go-w"),
        cache.building(threading.Event(), lambda: None),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_one_error_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = PlanCache(tmp_path / "file" / "plans")
    with (
        pytest.raises(NoPlanError, match="CACHE_DIRECTORY"),
        cache.building(threading.Event(), lambda: None),
    ):
        pass


def test_plans_lie_where_systemd_or_the_user_wants_them() -> None:
    assert cache_folder({"CACHE_DIRECTORY": "/var/cache/edge-daemon"}) == Path(
        "/var/cache/edge-daemon/plans"
    )
    assert cache_folder({"XDG_CACHE_HOME": "/home/eve/c"}) == Path("/home/eve/c/edge-daemon/plans")
    assert cache_folder({}) == Path.home() / ".cache/edge-daemon/plans"


def test_a_reader_sees_nothing_of_a_plan_until_its_record_is_there(
    cache: PlanCache, key: PlanKey
) -> None:
    path = put(cache, key)
    record = path.with_suffix(".json").read_bytes()
    path.with_suffix(".json").unlink()
    assert fault_of(cache, key) is PlanFault.NO_RECORD
    path.with_suffix(".json").write_bytes(record)
    wait_until(lambda: cache.find(key) == path)
