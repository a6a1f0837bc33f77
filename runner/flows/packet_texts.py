"""What lies beside packets for people: is it what this program writes?"""

from pathlib import Path

from runner.adapters.packet_archive import difference
from runner.adapters.packet_files import ARCHIVE_FOLDER, PacketFolder
from runner.flows.prove import Proof
from runner.policy.claims import HOW_TO_NAME, files_of
from runner.policy.packets.contract import HOW_TO_PASTE
from runner.policy.packets.meta import ARCHIVE_NAME, ORB_ARCHIVE_NAME, README_NAME
from runner.policy.packets.notices import readme


def texts_ok(folder: Path, proof: Proof) -> bool:
    """Whether the how-to, and the readme and archive if they are there too, are exactly ours.

    Args:
        folder: Of packets that are complete.
        proof: What was found out about them.

    Raises:
        OSError: something couldn't be read.
    """
    if proof.manifest is None or proof.manifest_sha256 is None:
        return False
    expected = {
        HOW_TO_NAME: HOW_TO_PASTE.encode(),
        README_NAME: readme(proof.manifest, proof.manifest_sha256),
    }
    with PacketFolder(folder) as packets:
        there = packets.names()
        for name, text in expected.items():
            if name == HOW_TO_NAME or name in there:
                try:
                    if packets.read(name, max_bytes=len(text)) != text:
                        return False
                except ValueError:
                    return False
    members = [(f"{ARCHIVE_FOLDER}/{name}", folder / name) for name in files_of(proof.manifest)]
    archives = [folder / name for name in (ARCHIVE_NAME, ORB_ARCHIVE_NAME) if name in there]
    return all(difference(archive, members) is None for archive in archives)
