"""An archive is exactly what this program makes of its members, or it is refused."""

import gzip
import io
import signal
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.adapters.packet_archive import difference
from runner.adapters.packet_files import ARCHIVE_FOLDER, Archive
from tests.support.claims import members, pack

FILES = {"packet_001.txt": b"one\n" * 300, "packet_002.txt": b"", "manifest.json": b"{}" * 512}


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """A reader that loops ends the test instead of the night."""
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "packets"
    folder.mkdir()
    with Archive(tmp_path / "a.tar.gz") as made:
        for name, data in FILES.items():
            (folder / name).write_bytes(data)
            made.add(name, data)
    return tmp_path / "a.tar.gz"


def compare(archive: Path, *names: str) -> str | None:
    """Where the archive isn't what it has to be."""
    folder = archive.parent / "packets"
    return difference(
        archive, [(f"{ARCHIVE_FOLDER}/{name}", folder / name) for name in names or FILES]
    )


def test_what_the_program_writes_has_no_difference(archive: Path) -> None:
    assert compare(archive) is None


def test_another_compression_of_the_same_is_as_good(archive: Path) -> None:
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()), 9, mtime=7))
    assert compare(archive) is None


def test_files_larger_than_a_block_are_compared_to_their_end(archive: Path) -> None:
    packet = archive.parent / "packets/packet_001.txt"
    packet.write_bytes(bytes(range(256)) * 12_345)
    archive.unlink()
    with Archive(archive) as made:
        made.add_file(packet.name, packet)
    assert compare(archive, packet.name) is None
    data = bytearray(packet.read_bytes())
    data[-1] ^= 1
    packet.write_bytes(data)
    assert compare(archive, packet.name) == "it doesn't have review_packets/packet_001.txt as it is"


def _entry(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def _one_more(archive: Path, name: str, data: bytes = b"x", **fields: object) -> None:
    entries = [*members(archive), _entry(name, data, **fields)]
    pack(archive, entries, tarfile.GNU_FORMAT)


def _instead(archive: Path, **fields: object) -> None:
    first, *others = members(archive)
    pack(archive, [_entry(first[0].name, b"", **fields), *others], tarfile.GNU_FORMAT)


def _sparse(archive: Path) -> None:
    _instead(archive, type=tarfile.GNUTYPE_SPARSE)


def _pax(archive: Path) -> None:
    entries = members(archive)
    entries[0][0].pax_headers = {"path": "../../etc/passwd"}
    pack(archive, entries, tarfile.PAX_FORMAT)


def _swapped(archive: Path) -> None:
    first, second, *others = members(archive)
    pack(archive, [second, first, *others], tarfile.GNU_FORMAT)


def _other_bytes(archive: Path) -> None:
    (first, data), *others = members(archive)
    pack(archive, [(first, data[:-1] + b"!"), *others], tarfile.GNU_FORMAT)


def _bomb(archive: Path) -> None:
    """A terabyte would take hours: that it ends at once is the claim."""
    packer = zlib.compressobj(level=1, wbits=31)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = zlib.compressobj(level=9, wbits=-15)
    run = zeros.compress(bytes(64 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)
    archive.write_bytes(block + run * 200)


def _plain(archive: Path, edit: Callable[[bytes], bytes]) -> None:
    archive.write_bytes(gzip.compress(edit(gzip.decompress(archive.read_bytes())), mtime=0))


def _named(archive: Path) -> None:
    with io.BytesIO() as made:
        with gzip.GzipFile("read me first", "wb", fileobj=made, mtime=0) as file:
            file.write(gzip.decompress(archive.read_bytes()))
        archive.write_bytes(made.getvalue())


def _append(archive: Path, data: bytes) -> None:
    archive.write_bytes(archive.read_bytes() + data)


def _checksum(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[-8] ^= 1
    archive.write_bytes(data)


ATTACKS: dict[str, Callable[[Path], object]] = {
    "a bomb": _bomb,
    "a bomb behind the end": lambda a: _plain(a, lambda tar: tar + bytes(64 << 20)),
    "a symbolic link": lambda a: _instead(a, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": lambda a: _instead(a, type=tarfile.LNKTYPE, linkname="../plan.json"),
    "a device": lambda a: _instead(a, type=tarfile.CHRTYPE),
    "a FIFO": lambda a: _instead(a, type=tarfile.FIFOTYPE),
    "a sparse member": _sparse,
    "a pax header": _pax,
    "an absolute name": lambda a: _one_more(a, "/etc/passwd"),
    "a name above": lambda a: _one_more(a, "review_packets/../../x"),
    "a long name": lambda a: _one_more(a, "x" * 300),
    "two members of one name": lambda a: _one_more(a, f"{ARCHIVE_FOLDER}/packet_001.txt"),
    "another member": lambda a: _one_more(a, f"{ARCHIVE_FOLDER}/VERDICT.txt", b"APPROVED"),
    "a folder": lambda a: _one_more(a, ARCHIVE_FOLDER, b"", type=tarfile.DIRTYPE),
    "no member": lambda a: pack(a, [], tarfile.GNU_FORMAT),
    "a member less": lambda a: pack(a, members(a)[:-1], tarfile.GNU_FORMAT),
    "another order": _swapped,
    "another byte": _other_bytes,
    "a file that may be executed": lambda a: _instead(a, mode=0o755),
    "bytes in the padding": lambda a: _plain(a, lambda tar: tar.replace(b"\n\0", b"\n!", 1)),
    "no end": lambda a: _plain(a, lambda tar: tar[:-1024]),
    "half an end": lambda a: _plain(a, lambda tar: tar[:-512]),
    "a byte behind the end": lambda a: _plain(a, lambda tar: tar + b"\0"),
    "rubbish behind it": lambda a: _append(a, b"rubbish"),
    "zeros behind it": lambda a: _append(a, bytes(512)),
    "a second gzip member": lambda a: _append(a, gzip.compress(b"more")),
    "an empty second gzip member": lambda a: _append(a, gzip.compress(b"")),
    "a name in the gzip header": _named,
    "a wrong checksum": _checksum,
    "cut short": lambda a: a.write_bytes(a.read_bytes()[:-9]),
    "without its checksum": lambda a: a.write_bytes(a.read_bytes()[:-8]),
    "not compressed": lambda a: a.write_bytes(gzip.decompress(a.read_bytes())),
    "empty": lambda a: a.write_bytes(b""),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_whatever_else_an_archive_holds_is_found(
    archive: Path, attack: Callable[[Path], object]
) -> None:
    before = archive.read_bytes()
    attack(archive)
    assert archive.read_bytes() != before
    assert compare(archive) is not None


def test_a_link_is_not_followed(archive: Path) -> None:
    archive.rename(archive.with_name("other"))
    archive.symlink_to("other")
    with pytest.raises(OSError, match="symbolic links"):
        compare(archive)
