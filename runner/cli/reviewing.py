"""``runner review``: a range as a bundle or as packets, and whether packets hold all of one."""

import json as json_text
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.running import JsonOption

if TYPE_CHECKING:
    from runner.flows.bundle import Built
    from runner.flows.review import Ends
    from runner.flows.review_output import Placed

RepoOption = Annotated[
    Path, typer.Option("--repo", help="The repository: any folder of it, or a bare one.")
]


def register(app: typer.Typer) -> None:
    """Adds this family's verbs."""
    family = typer.Typer(
        help="Review bundles and packets: all of a change, and the proof that nothing is missing.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    family.command()(bundle)
    family.command()(verify)
    app.add_typer(family, name="review")


def bundle(
    since: Annotated[
        str,
        typer.Option("--since", help="What was reviewed last; zeros only: review everything."),
    ],
    to: Annotated[str, typer.Option("--to", help="What is to be reviewed.")] = "HEAD",
    repo: RepoOption = Path(),
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="FILE|DIR/",
            help="A file, or a folder, made if its name ends with /. [default: ./REVIEW_BUNDLE.txt]",
        ),
    ] = None,
    size_cap: Annotated[
        str | None,
        typer.Option("--size-cap", metavar="BYTES", help="The most for one bundle: 200KiB, 51200."),
    ] = None,
    packet_bytes: Annotated[
        str | None,
        typer.Option("--packet-bytes", metavar="BYTES", help="The most for one packet."),
    ] = None,
    bundle_only: Annotated[
        bool,
        typer.Option("--bundle-only", help="Over the cap write nothing, and exit with 6."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a file that isn't a bundle.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Write everything that changed in a range of commits, for a reviewer to read.

    Up to the cap that is one REVIEW_BUNDLE.txt. Over it, packets that are each small enough to be
    read whole, in a new folder below review_packets/ beside that file, with a manifest by which
    `runner review verify` proves that nothing is left out.
    """
    from runner.adapters.git.workcopy import top_level
    from runner.bootstrap import runner_from_environment
    from runner.bootstrap.reviewing import review_source
    from runner.cli.waiting import waiting
    from runner.flows import review
    from runner.flows.bundle import Wanted
    from runner.flows.review_output import Output
    from runner.policy import exit_codes

    runner = runner_from_environment()
    wanted = Wanted(
        size_cap_bytes=_bytes("--size-cap", size_cap, runner.settings.review_bundle_size_cap),
        packet_bytes=_bytes("--packet-bytes", packet_bytes, runner.settings.review_packet_bytes),
    )
    try:
        folder = top_level(repo)
        ends = _ends(folder, since, to, quiet=json, noting_uncommitted=True)
        out = Output(
            bundle=_file(output),
            stamp=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
            packets_too=not bundle_only,
            replace=force,
        )
        with _all_ends_alike(), waiting("reading the range"):
            built, placed = review.bundle(review_source(runner, folder), ends, wanted, out)
    finally:
        runner.close()
    if json:
        print(json_text.dumps(_document(built, placed, wanted.size_cap_bytes), indent=2))
    _tell(built, placed, wanted.size_cap_bytes, quiet=json)
    return exit_codes.SIZE_CAP_EXCEEDED if built.exceeded and bundle_only else 0


def verify(
    what: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="Packets, a folder above them, or a bundle."),
    ],
    repo: RepoOption = Path(),
    since: Annotated[
        str | None, typer.Option("--since", help="They have to begin there (with --to).")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="They have to end there (with --since).")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Prove that packets, whoever made them, hold all of a range, each byte once.

    From the base's tree and the packets alone the head's tree has to come out, bit for bit. A
    REVIEW_BUNDLE.txt is made again and compared. Exits with 0 if everything is there, 1 if it
    isn't, 3 if it couldn't be decided.
    """
    from runner.adapters.git.workcopy import top_level
    from runner.bootstrap import runner_from_environment
    from runner.bootstrap.reviewing import review_source
    from runner.cli.proof_text import checked_bundle, checked_packets
    from runner.cli.waiting import waiting
    from runner.errors import ConfigurationError
    from runner.flows import review
    from runner.flows.find_packets import packets_at

    if (since is None) != (to is None):
        raise ConfigurationError("USAGE", "--since and --to go together, or leave both out")
    found = packets_at(what)
    runner = runner_from_environment()
    try:
        folder = top_level(repo)
        ends = None if since is None or to is None else _ends(folder, since, to, quiet=json)
        source = review_source(runner, folder)
        with _all_ends_alike(), waiting("proving"):
            if found.is_file():
                told = checked_bundle(found, review.verify_bundle(source, found, ends))
            else:
                told = checked_packets(found, review.verify_packets(source, found, ends))
    finally:
        runner.close()
    print(json_text.dumps(told.document, indent=2) if json else told.text)
    return 0 if told.holds else 1


def _bytes(option: str, text: str | None, default: int) -> int:
    from runner.adapters.allowlists.sizes import size_bytes
    from runner.errors import ConfigurationError

    if text is None:
        return default
    size = int(text) if text.isdecimal() and text.isascii() and len(text) < 16 else size_bytes(text)
    if size is None:
        raise ConfigurationError(
            "USAGE", f"got {option} {text!r}, expected bytes, or a size such as '200KiB'"
        )
    return size


def _file(output: str | None) -> Path:
    from runner.errors import ConfigurationError
    from runner.policy.packets.meta import BUNDLE_NAME

    file = Path(output or BUNDLE_NAME)
    try:
        if output is not None and output.endswith("/"):
            file.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            file = file / BUNDLE_NAME
        found = file.parent.is_dir()
    except OSError as error:
        raise ConfigurationError("OUTPUT_UNWRITABLE", f"{file}: {error.strerror}") from error
    if not found:
        raise ConfigurationError("OUTPUT_UNWRITABLE", f"{file.parent} isn't a folder that is there")
    return file.parent.resolve() / file.name


def _ends(
    folder: Path, since: str, to: str, *, quiet: bool, noting_uncommitted: bool = False
) -> "Ends":
    """Both ends as the person's own repository understands them, shown before anything is read."""
    from runner.adapters.git.workcopy import has_uncommitted, resolve_revision
    from runner.flows.review import Ends
    from runner.flows.review_output import OUR_NAMES
    from runner.model.shown import shown

    head = resolve_revision(folder, to)
    nothing = len(since) == len(head) and not since.strip("0")
    base = None if nothing else resolve_revision(folder, since)
    if not quiet:
        named = "the empty tree" if base is None else f"{since} = {base}"
        print(shown(f"{folder}: {named} .. {to} = {head}"), file=sys.stderr)
        if noting_uncommitted and to == "HEAD" and has_uncommitted(folder, OUR_NAMES):
            print("note: what isn't committed isn't part of it", file=sys.stderr)
    return Ends(base, head)


@contextmanager
def _all_ends_alike() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: nothing half-made is left behind."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in numbers
        if number not in ignored  # nohup(1) means it
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _document(built: "Built", placed: "Placed", cap: int) -> dict[str, Any]:
    from runner.policy.packets.notices import SIZE_CAP_EXCEEDED
    from runner.policy.packets.visible import shown_text

    return {
        "base": built.span.base,
        "head": built.span.head,
        "size_cap_bytes": cap,
        "size_cap_exceeded": built.exceeded,
        "size_bytes": built.size_bytes,
        "warnings": [SIZE_CAP_EXCEEDED] if built.exceeded else [],
        "bundle": None if placed.bundle is None else str(placed.bundle),
        "packets_dir": None if placed.packets is None else str(placed.packets),
        "packet_count": built.packets,
        "manifest_sha256": built.manifest_sha256,
        "unseen": built.unseen,
        "files": [
            {"path": shown_text(file.path), "bytes": file.size, "in_between": file.in_between}
            for file in built.file_bytes
        ],
    }


def _tell(built: "Built", placed: "Placed", cap: int, *, quiet: bool) -> None:
    from runner.cli.rendering import size
    from runner.model.shown import shown
    from runner.policy.packets.notices import SIZE_CAP_EXCEEDED
    from runner.policy.packets.visible import shown_text

    if built.exceeded:
        more = f"the bundle would have {built.size_bytes} bytes or more, the cap is {cap}"
        print(f"{SIZE_CAP_EXCEEDED}: {more}", file=sys.stderr)
    if placed.before == "removed":
        print("the bundle of an earlier run, which was there, is removed", file=sys.stderr)
    if built.exceeded and placed.packets is None:
        for file in sorted(built.file_bytes, key=lambda file: (-file.size, file.path)):
            between = "  (only in commits in between)" if file.in_between else ""
            print(f"{file.size:>12}  {shown_text(file.path)}{between}", file=sys.stderr)
    if quiet:
        return
    if not built.file_bytes:
        print("nothing changed; the bundle says so", file=sys.stderr)
    if built.unseen and placed.bundle is not None:
        print(f"note: binary, and so not shown: {built.unseen}", file=sys.stderr)
    if placed.packets is not None:
        sizes = [path.stat().st_size for path in placed.packets.glob("packet_*.txt")]
        each = f"{size(sum(sizes))}, the largest {size(max(sizes, default=0))}"
        print(f"{shown(str(placed.packets))}  {built.packets} packets, {each}")
        print(f"manifest sha256 {built.manifest_sha256}")
    if placed.bundle is not None:
        what = "says that it would be too large" if built.exceeded else size(built.size_bytes)
        again = "" if placed.before == "new" else f", {placed.before}"
        print(f"{shown(str(placed.bundle))}  {what}{again}")
