"""Archives on their way in and out: what comes back, and what hostile ones cannot do."""

import hashlib
import io
import json
import shutil
import tarfile

import pytest

from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import SYSTEM
from actorllm.protocol.names import parse_name
from tests.library.conftest import add_model, layer

from .conftest import export, import_

ONE, TWO = "one", "example.org/team/two:q4"


def names(catalog):
    return sorted(model.name.short() for model in catalog.models()[0])


def tree(catalog):
    """All files of a store but our own, with their contents."""
    root = catalog.blobs.root
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".actorllm" not in path.parts
    }


def rewritten(data, change):
    """An archive whose files went through `change(name, content)`, which returns further ones."""
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=target, mode="w") as new,
    ):
        for member in old.getmembers():
            for name, content in change(member.name, old.extractfile(member).read()):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    return target.getvalue()


def kept(name, content):
    return [(name, content)]


def test_models_come_back_byte_for_byte_and_shared_blobs_once(full, empty):
    data = export(full, ONE, TWO, ONE)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getnames()
    assert len(members) == len(set(members)) == 2 + 2 + 3
    imported = import_(empty, data)
    assert [model.name for model in imported.models] == ["one:latest", TWO]
    assert tree(empty) == tree(full)


@pytest.mark.parametrize("step", [1000, 512 * 7])
def test_an_archive_may_come_in_any_pieces_and_any_order(full, empty, step):
    def backwards(data):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            files = [(m.name, tar.extractfile(m).read()) for m in reversed(tar.getmembers())]
        rest = iter(files)
        return rewritten(data, lambda *_: [next(rest)])

    import_(empty, backwards(export(full, ONE, TWO)), step=step)
    assert tree(empty) == tree(full)


def test_blobs_that_are_here_are_not_written_again_and_may_be_missing(full, empty):
    shutil.copytree(full.blobs.folder, empty.blobs.folder, dirs_exist_ok=True)
    data = export(full, ONE)

    def without_layers(name, content):
        is_layer = name.startswith("blobs/") and not content.startswith(b"{")
        return [] if is_layer else [(name, content)]

    imported = import_(empty, rewritten(data, without_layers))
    assert imported.reused == 0
    assert import_(empty, data).reused > 7000
    assert names(empty) == ["one:latest"]


def test_an_only_model_can_get_another_name(full, empty):
    import_(empty, export(full, ONE), rename="other:v1")
    assert names(empty) == ["other:v1"]
    with pytest.raises(Refused, match="2 models; give no name"):
        import_(empty, export(full, ONE, TWO), rename="other")
    with pytest.raises(Refused, match="invalid model name"):
        import_(empty, export(full, ONE), rename="../x")


def test_a_model_that_is_replaced_leaves_no_blobs(full, empty):
    add_model(empty, ONE, layer(empty.blobs, SYSTEM, "an older one"))
    import_(empty, export(full, ONE))
    alone = {layer.digest for layer in empty.find(parse_name(ONE)).manifest.blobs()}
    assert empty.blobs.digests() == alone


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    at = data.index(b"shared shared")
    return data[:at] + b"S" + data[at + 1 :]


def unindexed(data):
    return rewritten(data, lambda name, c: [] if name == "index.json" else [(name, c)])


def reindexed(**changes):
    def change(data):
        def one(name, content):
            if name != "index.json":
                return [(name, content)]
            index = json.loads(content)
            index["manifests"][0] |= changes
            return [(name, json.dumps(index).encode())]

        return rewritten(data, one)

    return change


def unnamed(name):
    return reindexed(annotations={"org.opencontainers.image.ref.name": name})


def lacking(data):
    return rewritten(data, lambda n, c: [] if c.startswith(b"shared") else [(n, c)])


def lying(data):
    """The name of the blob is the digest of something else."""
    wrong = f"blobs/sha256/{hashlib.sha256(b'else').hexdigest()}"
    return rewritten(data, lambda n, c: [(wrong if c.startswith(b"shared") else n, c)])


def not_a_manifest(data):
    junk = b"[]"
    digest = hashlib.sha256(junk).hexdigest()
    with_junk = rewritten(
        data,
        lambda n, c: [(n, c), (f"blobs/sha256/{digest}", junk)] if n == "oci-layout" else [(n, c)],
    )
    return reindexed(digest=f"sha256:{digest}", size=len(junk))(with_junk)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "cut off"),
        (flipped, "digest mismatch"),
        (unindexed, "no index"),
        (unnamed("../../../etc/cron.d/x"), "no valid name"),
        (unnamed(""), "no valid name"),
        (lacking, "lacks blob"),
        (lying, "digest mismatch"),
        (not_a_manifest, "is no model"),
        (reindexed(size=5), "lacks manifest"),
        (reindexed(digest="sha256:" + "0" * 64), "lacks manifest"),
        (reindexed(digest="md5:1"), "index cannot be read|invalid digest"),
        (reindexed(size="5"), "index cannot be read"),
        (lambda data: rewritten(data, lambda n, c: [(n, c)] * 2), "there twice"),
    ],
)
def test_a_hostile_or_damaged_archive_leaves_nothing(full, empty, damage, words):
    data = damage(export(full, ONE))
    before = tree(empty)
    with pytest.raises(Refused, match=words) as refused:
        import_(empty, data)
    assert refused.value.problem.status == 400
    assert tree(empty) == before
    assert not list((empty.blobs.own_folder / "pins").iterdir())


def test_paths_in_an_archive_lead_nowhere(full, empty, tmp_path):
    def more(name, content):
        evil = [(path, b"evil") for path in ("../evil", "/tmp/evil", "blobs/sha256/../../evil")]
        return [*evil, (name, content)] if name == "index.json" else [(name, content)]

    import_(empty, rewritten(export(full, ONE), more))
    assert not list(tmp_path.rglob("*evil*"))


def test_blobs_that_no_model_needs_are_not_kept(full, empty):
    junk = b"ballast" * 1000
    place = f"blobs/sha256/{hashlib.sha256(junk).hexdigest()}"

    def more(name, content):
        return [(place, junk), (name, content)] if name == "index.json" else [(name, content)]

    import_(empty, rewritten(export(full, ONE), more))
    assert len(empty.blobs.digests()) == 2


def test_a_blob_larger_than_allowed_is_refused_before_it_comes(full, empty):
    with pytest.raises(Refused) as refused:
        import_(empty, export(full, ONE), max_blob=1000)
    assert refused.value.problem.status == 413


def test_a_disk_without_room_is_refused_before_anything_is_written(full, empty, monkeypatch):
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(Refused) as refused:
        import_(empty, export(full, ONE))
    assert refused.value.problem.status == 507
    assert tree(empty) == {}


def test_a_damaged_blob_does_not_leave_the_store(full):
    [licence, _] = full.find(parse_name(ONE)).manifest.layers
    path = full.blob(licence.digest)
    path.write_bytes(b"S" + path.read_bytes()[1:])
    with pytest.raises(Refused, match="is damaged; pull its model again"):
        export(full, ONE)
    path.write_bytes(b"shorter")
    with pytest.raises(Refused, match="is damaged; pull or create"):
        export(full, ONE)
