"""Tar streams: what is written is read by others, what others write is read or refused."""

import io
import tarfile

import pytest

from actorllm.actors.archives.tarring import END, Began, Ended, Piece, TarReader, header, padding
from actorllm.protocol.errors import Refused

HUGE = 9 * 1024**3


def read(data, step=10_000):
    """Files of an archive, fed in steps: names and contents."""
    reader, files = TarReader(), []
    for at in range(0, len(data), step):
        for event in reader.feed(data[at : at + step]):
            match event:
                case Began():
                    files.append([event.name, bytearray()])
                case Piece():
                    files[-1][1] += event.data
                case Ended():
                    files[-1].append("whole")
    reader.check_complete()
    return [(name, bytes(content)) for name, content, _ in files]


def packed(*members, **options):
    """An archive that Python writes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", **options) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


def file(name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


@pytest.mark.parametrize("step", [1, 511, 10_000])
def test_files_are_read_however_they_are_cut(step):
    data = packed(file("a", b"x" * 700), file("empty"), file("b", b"y" * 512))
    assert read(data[:4096], step) == [("a", b"x" * 700), ("empty", b""), ("b", b"y" * 512)]


def test_what_is_written_is_read_by_python():
    data = header("a", 3) + b"abc" + padding(3) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [(m.name, tar.extractfile(m).read()) for m in tar.getmembers()] == [("a", b"abc")]


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_sizes_above_eight_gibibytes_are_read_in_both_forms(format_):
    info, _ = file("big", size=HUGE)
    [began] = TarReader().feed(info.tobuf(format_))
    assert began == Began("big", HUGE)
    assert next(iter(TarReader().feed(header("big", HUGE)))) == began


def test_long_names_of_pax_headers_are_read():
    name = "blobs/" + "n" * 300
    assert read(packed(file(name, b"1"), format=tarfile.PAX_FORMAT)) == [(name, b"1")]


def test_folders_are_passed_over():
    assert read(packed(file("blobs", type=tarfile.DIRTYPE), file("a", b"1"))) == [("a", b"1")]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(kind):
    with pytest.raises(Refused, match="neither file nor folder"):
        read(packed(file("a", type=kind, linkname="/etc/passwd")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x1f\x8b" + b"\0" * 600, "unpack it first"),
        (b"GGUF" * 200, "no archive of models$"),
        (header("a", 700) + b"x" * 100, "cut off"),
        (header("a", 1 << 60) + b"x", "size that cannot be"),
        (
            packed(file("a", b"1"), format=tarfile.PAX_FORMAT, pax_headers={"x": "y" * 70_000}),
            "size",
        ),
        (b"", "no archive of models$"),
        (b"some words", "no archive of models$"),
        (b"\x1f\x8b", "unpack it first"),
    ],
)
def test_what_is_no_archive_is_refused(data, words):
    with pytest.raises(Refused, match=words) as refused:
        read(data)
    assert refused.value.problem.status == 400


def test_a_pax_header_whose_records_lie_is_refused():
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 20
    with pytest.raises(Refused, match="damaged PAX header"):
        read(info.tobuf() + b"99 path=/etc/passwd\n" + bytes(492) + END)


def test_the_number_of_files_is_bounded(monkeypatch):
    monkeypatch.setattr("actorllm.actors.archives.tarring._MAX_ENTRIES", 3)
    with pytest.raises(Refused, match="more than 3 files"):
        read(packed(*(file(f"f{i}") for i in range(4))))
