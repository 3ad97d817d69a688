"""Manifests on a real disk: names, layers of stores, removal among processes."""

import os
import subprocess
import sys
import time

import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.actors.library.make_builtin import main as make_builtin
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import LICENSE, MODEL, Layer, Manifest, dump_manifest
from actorllm.protocol.names import digest_of, parse_name

from .conftest import BERT, SEEDLING, add_model, layer

SEED = parse_name("seedling")


@pytest.fixture
def layered(store):
    return Catalog(store)


def names(catalog):
    return [model.name.short() for model in catalog.models()[0]]


def tree(root):
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if ".actorllm" not in path.parts
    )


def age(path, seconds=7200):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_manifest_is_kept_byte_for_byte(catalog):
    raw = b'{ "schemaVersion": 2, "layers": [] , "extra": 1}'
    name = parse_name("hf.co/User/repo:Q4_K_M")
    catalog.write(name, raw)
    path = catalog.blobs.root / "manifests/hf.co/User/repo/Q4_K_M"
    assert path.read_bytes() == raw
    assert catalog.find(name).digest == digest_of(raw).removeprefix("sha256:")
    assert names(catalog) == ["hf.co/User/repo:Q4_K_M"]
    assert tree(path.parent) == ["Q4_K_M"]


def test_what_is_no_manifest_is_not_written(catalog):
    with pytest.raises(Refused) as refused:
        catalog.write(SEED, b"<html>")
    assert refused.value.problem.status == 400
    with pytest.raises(Refused, match="invalid model name"):
        catalog.write(parse_name("../../x"), b"{}")
    assert names(catalog) == []


def test_names_are_found_in_any_case(catalog):
    add_model(catalog, "me/Some-Model:Tag", weights=BERT.read_bytes())
    for text in ("me/some-model:tag", "ME/SOME-MODEL:TAG", "me/Some-Model:Tag"):
        assert catalog.find(parse_name(text)).name.short() == "me/Some-Model:Tag"
    assert catalog.find(parse_name("me/some-model:other")) is None
    assert catalog.spelling(parse_name("ME/some-MODEL:new")).short() == "me/Some-Model:new"


def test_unreadable_manifests_are_reported_and_hidden_files_skipped(catalog):
    add_model(catalog, "good", weights=BERT.read_bytes())
    folder = catalog.blobs.root / "manifests/registry.ollama.ai/library"
    (folder / "bad").mkdir()
    (folder / "bad" / "latest").write_text("nonsense")
    (folder / "bad" / ".DS_Store").write_text("x")
    (folder / "stray-file").write_text("x")
    (folder / "good" / "deeper").mkdir()
    (folder / "good" / "deeper" / "file").write_text("x")
    models, unreadable = catalog.models()
    assert [model.name.short() for model in models] == ["good:latest"]
    assert [found.name.short() for found in unreadable] == ["bad:latest"]
    with pytest.raises(Refused, match=r"'bad:latest' is damaged .* pull or create it again"):
        catalog.find(parse_name("bad"))
    assert catalog.delete(parse_name("bad")) == 0
    assert names(catalog) == ["good:latest"]


def test_a_changed_manifest_is_read_again(catalog):
    first = add_model(catalog, "x", weights=BERT.read_bytes())
    assert catalog.find(parse_name("x")).manifest == first
    second = add_model(catalog, "x", weights=BERT.read_bytes() + b"more")
    assert catalog.find(parse_name("x")).manifest == second
    assert catalog.models()[0][0].manifest == second


def test_deleting_keeps_shared_blobs_and_removes_the_others(catalog):
    shared = layer(catalog.blobs, LICENSE, "MIT")
    add_model(catalog, "one", shared, weights=BERT.read_bytes())
    add_model(catalog, "two", shared, weights=BERT.read_bytes() + b"other")
    assert catalog.delete(parse_name("ONE")) == BERT.stat().st_size
    assert catalog.blobs.has(shared.digest)
    assert catalog.delete(parse_name("two")) > 0
    assert catalog.blobs.digests() == frozenset()
    assert tree(catalog.blobs.root / "manifests") == []
    assert catalog.delete(parse_name("two")) is None


def test_blobs_stay_while_a_manifest_cannot_be_read(catalog):
    add_model(catalog, "one", weights=BERT.read_bytes())
    add_model(catalog, "two", weights=BERT.read_bytes())
    broken = catalog.blobs.root / "manifests/registry.ollama.ai/library/two/latest"
    broken.write_text("{")
    assert catalog.delete(parse_name("one")) == 0
    assert len(catalog.blobs.digests()) == 2
    assert "two:latest" in catalog.collect_garbage(older_than=-1).skipped


def test_blobs_of_an_open_transfer_stay(catalog):
    manifest = add_model(catalog, "one", weights=BERT.read_bytes())
    weights = manifest.layers[0].digest
    with catalog.blobs.lock.pin() as pin:
        pin.add(weights)
        catalog.delete(parse_name("one"))
        assert catalog.blobs.digests() == {weights}
        assert catalog.collect_garbage(older_than=-1).blobs == 0
    assert catalog.collect_garbage(older_than=-1).blobs == 1


def test_what_a_pin_saved_from_a_sweep_goes_with_the_next_one(catalog):
    shared = layer(catalog.blobs, LICENSE, "MIT")
    gone = add_model(catalog, "gone", shared, weights=BERT.read_bytes())
    add_model(catalog, "kept", shared, weights=BERT.read_bytes() + b"other")
    weights = gone.layers[0].digest
    with catalog.blobs.lock.pin() as pin:
        for part in gone.layers:
            pin.add(part.digest)
        catalog.delete(parse_name("gone"))
        assert catalog.sweep() == 0
        assert catalog.blobs.has(weights)
    assert catalog.sweep() == BERT.stat().st_size
    assert not catalog.blobs.has(weights)
    assert catalog.blobs.has(shared.digest)


def test_replacing_a_model_tells_what_may_be_swept(catalog):
    first = add_model(catalog, "x", weights=BERT.read_bytes())
    weights = catalog.blobs.put(BERT.read_bytes() + b"2")
    manifest = Manifest((Layer(MODEL, weights.digest, weights.size),), first.config)
    unused = catalog.write(parse_name("x"), dump_manifest(manifest))
    assert unused == {first.layers[0].digest}
    assert catalog.sweep(unused) == BERT.stat().st_size
    assert catalog.sweep([weights.digest]) == 0


def test_garbage_is_collected_when_it_is_old(catalog):
    store = catalog.blobs
    manifest = add_model(catalog, "x", weights=BERT.read_bytes())
    old, young = store.put(b"old"), store.put(b"young")
    partial = store.folder / "sha256-0-partial"
    partial.write_bytes(b"part")
    for path in (old.path, partial, store.path(manifest.layers[0].digest)):
        age(path)
    empty = store.root / "manifests/host/ns/gone"
    empty.mkdir(parents=True)
    with store.open_writer() as living:
        age(next(store.folder.glob(".*")))
        garbage = catalog.collect_garbage()
        assert living.commit().size == 0
    assert (garbage.blobs, garbage.strays, garbage.freed) == (1, 1, 7)
    assert store.has(young.digest)
    assert store.has(manifest.layers[0].digest)
    assert not empty.parent.parent.exists()


def test_the_built_in_model_is_below_the_users(layered):
    assert names(layered) == ["seedling:latest"]
    found = layered.find(parse_name("Seedling"))
    assert found.root == BUILTIN_ROOT
    assert layered.blob(found.manifest.layers[0].digest) == SEEDLING
    with pytest.raises(Refused) as refused:
        layered.delete(SEED)
    assert refused.value.problem.status == 403
    assert refused.value.problem.text == (
        "model 'seedling:latest' comes with the program and cannot be deleted; "
        "ACTORLLM_BUILTIN=0 hides it"
    )
    mine = add_model(layered, "seedling", weights=BERT.read_bytes())
    assert layered.find(SEED).manifest == mine
    assert names(layered) == ["seedling:latest"]
    assert layered.delete(SEED) > 0
    assert layered.find(SEED).root == BUILTIN_ROOT


def test_without_the_built_in_model_there_is_nothing(catalog):
    assert names(catalog) == []
    assert catalog.find(SEED) is None


def test_a_copy_of_the_built_in_model_is_whole(layered):
    assert layered.copy(SEED, parse_name("me/copy:v1")).short() == "me/copy:v1"
    copy = layered.find(parse_name("me/copy:v1"))
    assert copy.digest == layered.find(SEED).digest
    assert layered.blobs.digests() == {blob.digest for blob in copy.manifest.blobs()}
    assert layered.copy(SEED, SEED) == SEED  # now the user's own
    assert layered.find(SEED).root == layered.blobs.root
    assert layered.copy(parse_name("absent"), SEED) is None


def test_a_copy_over_a_model_removes_what_only_that_had(catalog):
    license_ = layer(catalog.blobs, LICENSE, "MIT")
    source = add_model(catalog, "one", weights=BERT.read_bytes())
    add_model(catalog, "two", license_, weights=BERT.read_bytes() + b"other")
    assert catalog.copy(parse_name("one"), parse_name("two")) == parse_name("two")
    assert catalog.blobs.digests() == {blob.digest for blob in source.blobs()}


def test_the_package_is_never_written_to(layered):
    before = tree(BUILTIN_ROOT)
    layered.models()
    layered.copy(SEED, parse_name("x"))
    layered.collect_garbage(older_than=-1)
    layered.blobs.tidy()
    assert tree(BUILTIN_ROOT) == before
    assert not (BUILTIN_ROOT / ".actorllm").exists()


def test_the_script_makes_the_store_that_is_shipped(tmp_path, capsys):
    assert make_builtin([str(SEEDLING), "--root", str(tmp_path / "made")]) == 0
    assert tree(tmp_path / "made") == tree(BUILTIN_ROOT)
    for path in tree(BUILTIN_ROOT):
        if (BUILTIN_ROOT / path).is_file():
            assert (tmp_path / "made" / path).read_bytes() == (BUILTIN_ROOT / path).read_bytes()
    assert make_builtin([__file__, "--root", str(tmp_path / "not")]) == 1
    assert "not in GGUF format" in capsys.readouterr().err


CHURN = """
import sys
from pathlib import Path
from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import Catalog
from actorllm.protocol.manifest import LICENSE, Layer, Manifest, dump_manifest
from actorllm.protocol.names import parse_name
catalog = Catalog(BlobStore(Path(sys.argv[1])), None)
for n in range(60):
    name = parse_name(f"m{sys.argv[2]}-{n % 3}")
    with catalog.blobs.lock.pin() as pin:
        layers = []
        for text in ("shared", f"{n % 5}"):
            digest = catalog.blobs.put(text.encode()).digest
            pin.add(digest)
            if not catalog.blobs.has(digest):
                catalog.blobs.put(text.encode())
            layers.append(Layer(LICENSE, digest, len(text)))
        unused = catalog.write(name, dump_manifest(Manifest(tuple(layers))))
    catalog.sweep(unused)
    found = catalog.find(name)
    assert all(catalog.blobs.has(layer.digest) for layer in found.manifest.blobs()), n
    if n % 2:
        catalog.delete(name)
"""


def test_processes_that_add_and_remove_never_lose_a_blob_in_use(store):
    workers = [
        subprocess.Popen([sys.executable, "-c", CHURN, store.root, str(n)], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    for worker in workers:
        _, error = worker.communicate(timeout=60)
        assert worker.returncode == 0, error.decode()
    catalog = Catalog(BlobStore(store.root), None)
    models, unreadable = catalog.models()
    assert models
    assert not unreadable
    used = {blob.digest for model in models for blob in model.manifest.blobs()}
    assert used <= store.digests()
    assert store.lock.pinned() == frozenset()
