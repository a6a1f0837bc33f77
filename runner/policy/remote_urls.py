"""Which spellings of a remote are accepted, and which of them mean the same repository.

What is accepted is a short list, not everything minus what is known to be bad: git gives many
strings a meaning (git-fetch(1) *GIT URLS*, gitremote-helpers(7), gitprotocol-http(5)), several of
which run a program, read the local disk or carry a password.
"""

import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from runner.errors import RefusedError

MAX_LENGTH = 1024

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?P<host>{_LABEL}(?:\.{_LABEL})*)"
_USER = r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,63})@)?"
_PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_HTTPS = re.compile(rf"https://{_HOST}{_PORT}/(?P<path>.*)", re.ASCII | re.DOTALL)
_SSH = re.compile(rf"ssh://{_USER}{_HOST}{_PORT}/(?P<path>.*)", re.ASCII | re.DOTALL)
# A second colon straight after the first would name a remote helper (gitremote-helpers(7)).
_SCP = re.compile(rf"{_USER}{_HOST}:(?!:)/?(?P<path>.*)", re.ASCII | re.DOTALL)
# No percent sign: what it hides differs between servers. No space, query, fragment, backslash.
_SEGMENT = re.compile(r"[A-Za-z0-9._~+][A-Za-z0-9._~+-]*", re.ASCII)
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
# "file:x" is a host called file to git, and something else to everybody who reads it.
_SCHEMES = frozenset({"ext", "fd", "file", "ftp", "ftps", "git", "http", "https", "ssh"})
_DEFAULT_PORT = {"https": 443, "ssh": 22}


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """An accepted remote, taken apart. Host in lower case, path without ends to strip."""

    transport: Literal["https", "ssh"]
    user: str
    host: str
    port: int
    path: str

    @property
    def identity(self) -> str:
        """The one spelling by which remotes are compared."""
        if self.port != _DEFAULT_PORT[self.transport]:
            user = f"{self.user}@" if self.transport == "ssh" else ""
            return f"{self.transport}://{user}{self.host}:{self.port}/{self.path}"
        if self.transport == "ssh" and self.user != "git":
            return f"ssh://{self.user}@{self.host}/{self.path}"
        return f"https://{self.host}/{self.path}"

    def looks_like(self, other: "RemoteUrl") -> bool:
        """Whether both may be one repository on a forge that ignores case, user and port."""
        mine, others = (self.host, self.path.lower()), (other.host, other.path.lower())
        return mine == others


def without_credentials(url: str) -> str:
    """``url`` for a message: escaped, short, and without anything before an ``@``."""
    _, at, rest = url.rpartition("@")
    text = ascii(f"***@{rest}" if at else url)
    return text if len(text) <= 100 else f"{text[:99]}… ({len(url)} characters)"


def _refuse(url: str, why: str) -> NoReturn:
    raise RefusedError(
        "REMOTE_URL_REFUSED",
        f"remote_url: got {without_credentials(url)}: {why}",
        remedy="write it as https://HOST/PATH, ssh://git@HOST/PATH or git@HOST:PATH",
    )


def _explain(url: str) -> str:
    """Why a URL that matches no accepted form was refused, in words that help."""
    scheme = _SCHEME.match(url)
    if "::" in url.partition("/")[0]:
        return "it names a remote helper, which would run a program"
    if url.startswith(("/", ".", "~")) or (":" not in url):
        return "it is a local path"
    if scheme and scheme["scheme"] not in ("https", "ssh"):
        return f"the transport {scheme['scheme']!r} isn't one of https, ssh"
    if scheme and "@" in url.removeprefix(scheme[0]).partition("/")[0]:
        return "it holds credentials"
    if "@" in url and ":" in url.partition("@")[0]:
        return "it holds credentials"
    return "it isn't a URL of an accepted form"


def parse_url(url: str) -> RemoteUrl:
    """``url`` taken apart.

    Raises:
        RefusedError: ``REMOTE_URL_REFUSED``, as ``canonical_url`` does.
    """
    if len(url) > MAX_LENGTH:
        _refuse(url, f"it is longer than {MAX_LENGTH} characters")
    if not url:
        _refuse(url, "it is empty")
    if not url.isascii() or not url.isprintable() or " " in url:
        _refuse(url, "it holds a space, a control character or something that isn't ASCII")
    if url.startswith("-"):
        _refuse(url, "git would read it as an option")
    if "%" in url:
        _refuse(url, "it is percent-encoded, which servers read in different ways")
    transport: Literal["https", "ssh"]
    if found := _HTTPS.fullmatch(url):
        transport, user = "https", ""
    elif found := _SSH.fullmatch(url) or (None if "://" in url else _SCP.fullmatch(url)):
        transport, user = "ssh", found["user"] or "git"
    else:
        _refuse(url, _explain(url))
    groups = found.groupdict()
    if "@" in found["path"]:
        _refuse(url, "it holds credentials")
    if "://" not in url and found["host"].lower() in _SCHEMES:
        _refuse(url, f"it would name a host called {found['host']!r}")
    port = int(groups.get("port") or _DEFAULT_PORT[transport])
    if port > 65535:
        _refuse(url, f"port {port} doesn't exist")
    return RemoteUrl(transport, user, found["host"].lower(), port, _path(url, found["path"]))


def _path(url: str, path: str) -> str:
    path = path.removesuffix("/").removesuffix(".git")
    for segment in path.split("/"):
        if segment in ("", ".", "..", ".git"):
            _refuse(url, f"its path has a segment {segment!r}")
        if not _SEGMENT.fullmatch(segment):
            _refuse(url, f"its path has a segment {segment!r}, which isn't a plain name")
    if path.endswith(".git"):
        _refuse(url, "its path ends in '.git' twice")
    return path


def canonical_url(url: str) -> str:
    """The identity of the repository that ``url`` names, the same for each of its spellings.

    ``https://h/p``, ``https://h:443/p.git``, ``ssh://git@h/p``, ``git@h:p`` and ``h:p/`` are one.
    Another port or another ssh user is another identity. It is for comparing: what is fetched is
    the allowlist's own spelling, never a caller's.

    Raises:
        RefusedError: ``REMOTE_URL_REFUSED``: an option, a remote helper, a local path, a transport
            other than https and ssh, credentials, ``..``, percent-encoding, anything unusual.
    """
    return parse_url(url).identity


def names_a_public_host(remote: RemoteUrl) -> bool:
    """Whether the host could be one on the internet by its name.

    An address or a name without a dot can only be in the runner's own network: nobody but the
    operator may point the runner at those. (A public name may still resolve to a private address;
    that is for the firewall.)
    """
    last = remote.host.rpartition(".")[2]
    local = ("localhost", "local", "internal", "lan", "home", "intranet", "corp", "localdomain")
    return "." in remote.host and not last[0].isdigit() and last not in local
