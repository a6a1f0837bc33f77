"""Which remotes are accepted, and which are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RefusedError
from runner.model.problem import shown
from runner.policy.remote_urls import (
    canonical_url,
    names_a_public_host,
    parse_url,
    without_credentials,
)

_SEGMENT = st.from_regex(r"[a-z0-9_~][a-z0-9._-]{0,10}[a-z0-9]", fullmatch=True)
_PATHS = st.lists(_SEGMENT, min_size=1, max_size=4).map("/".join)
_HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}\.[a-z]{2,5}", fullmatch=True)

HOSTILE = [
    "",
    "-x",
    "--upload-pack=touch /tmp/x",
    "-oProxyCommand=id",
    "ext::sh -c id",
    "ext::sh",
    "fd::17",
    "transport::https://h/p",
    "file:///etc",
    "file:/etc",
    "/srv/git/x.git",
    "./x",
    "../x",
    "~/x",
    "x",
    "C:\\x",
    "http://h.example/p",
    "HTTPS://h.example/p",
    "git://h.example/p",
    "ftp://h.example/p",
    "git+ssh://h.example/p",
    "rsync://h.example/p",
    "https://user:secret@h.example/p",
    "https://token@h.example/p",
    "https://@h.example/p",
    "ssh://git:secret@h.example/p",
    "git:secret@h.example:p",
    "ssh://-oProxyCommand=id/p",
    "ssh://-x@h.example/p",
    "-x@h.example:p",
    "git@-oProxyCommand=id:p",
    "git@h.example:-x",
    "https://h.example/-x/p",
    "https://h.example/a/../b",
    "https://h.example/../b",
    "https://h.example/a/./b",
    "https://h.example/a//b",
    "https://h.example//a",
    "git@h.example://a",
    "git@h.example:../a",
    "https://h.example/%2e%2e/b",
    "https://h.example/a%2fb",
    "https://h.example/a%00",
    "https://h.example/a\n",
    "https://h.example/a\x00",
    "https://h.example/a b",
    "https://h.example/a\t",
    "https://h.example/a\\b",
    "https://h.example/a?x=1",
    "https://h.example/a#x",
    "https://h.example/a;x",
    "https://h.example/$(id)",
    "https://h.example/`id`",
    "https://h.example/é",
    "https://hé.example/a",
    "https://h.example",
    "https://h.example/",
    "https://h.example/.git",
    "https://h.example/a/.git",
    "https://h.example/a.git.git",
    "https:///a",
    "https://.h/a",
    "https://h./a",
    "https://h..x/a",
    "https://h-/a",
    "https://h.example:/a",
    "https://h.example:0/a",
    "https://h.example:022/a",
    "https://h.example:65536/a",
    "https://h.example:99999999/a",
    "https://[::1]/a",
    "git@[::1]:a",
    "https://h.example/" + "a" * 2000,
    "https://h.example/" + "a/" * 511 + "\x1b]0;x\x07",
]


@pytest.mark.parametrize("url", HOSTILE, ids=shown)
def test_refuses(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        canonical_url(url)
    assert refusal.value.code == "REMOTE_URL_REFUSED"


@pytest.mark.parametrize("url", [url for url in HOSTILE if "secret" in url or "token" in url])
def test_a_refusal_doesnt_repeat_the_credentials(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        canonical_url(url)
    assert "secret" not in str(refusal.value)
    assert "token" not in str(refusal.value)
    assert "credentials" in str(refusal.value)


@pytest.mark.parametrize("url", HOSTILE, ids=shown)
def test_a_refusal_is_one_short_printable_line(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        canonical_url(url)
    assert str(refusal.value).replace("…", "").isprintable()
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/team/orb",
        "https://git.example.org/team/orb.git",
        "https://git.example.org/team/orb.git/",
        "https://git.example.org:443/team/orb",
        "https://GIT.Example.org/team/orb/",
        "ssh://git@git.example.org/team/orb.git",
        "ssh://git.example.org/team/orb",
        "ssh://git@git.example.org:22/team/orb",
        "git@git.example.org:team/orb.git",
        "git@git.example.org:/team/orb",
        "git.example.org:team/orb",
    ],
)
def test_spellings_of_one_repository_are_the_same(url: str) -> None:
    assert canonical_url(url) == "https://git.example.org/team/orb"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org:8443/team/orb",
        "ssh://git@git.example.org:8443/team/orb",
        "ssh://alice@git.example.org/team/orb",
        "alice@git.example.org:team/orb",
        "https://git.example.org/team/ORB",
        "https://git.example.org/team/orb2",
        "https://git.example.org/orb",
        "https://git.example.net/team/orb",
        "https://git.example.org/team/orb.git2",
    ],
)
def test_another_repository_is_not_the_same(url: str) -> None:
    assert canonical_url(url) != "https://git.example.org/team/orb"


@given(_HOSTS, _PATHS)
def test_every_transport_gives_one_identity(host: str, path: str) -> None:
    identities = {
        canonical_url(spelling)
        for spelling in (
            f"https://{host}/{path}",
            f"ssh://git@{host}/{path}.git",
            f"git@{host}:{path}.git",
            f"{host.upper()}:{path}/",
        )
        if not path.endswith(".git")
    }
    assert len(identities) <= 1


@given(
    st.sampled_from(["https://", "ssh://", "ssh://git@", "ssh://bob@"]),
    _HOSTS,
    st.sampled_from(["", ":22", ":443", ":2222"]),
    _PATHS,
)
def test_the_identity_is_its_own_identity(scheme: str, host: str, port: str, path: str) -> None:
    try:
        identity = canonical_url(f"{scheme}{host}{port}/{path}")
    except RefusedError:
        return
    assert canonical_url(identity) == identity


@given(st.text(max_size=60))
def test_whatever_passes_is_plain_and_of_an_accepted_transport(url: str) -> None:
    try:
        identity = canonical_url(url)
    except RefusedError:
        return
    assert identity.startswith(("https://", "ssh://"))
    assert identity.isascii()
    assert identity.isprintable()
    assert not set(identity) & set(" %\\?#'\"`$;&|<>*")
    assert ".." not in identity.split("/")


@pytest.mark.parametrize("url", ["git@h.example:p", "https://h.example/p", "ssh://bob@x.org/p"])
def test_a_name_with_a_dot_is_taken_for_public(url: str) -> None:
    assert names_a_public_host(parse_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/p",
        "https://127.0.0.1/p",
        "https://169.254.169.254/latest",
        "https://10.0.0.1:8080/p",
        "https://0x7f.1/p",
        "https://2130706433/p",
        "git@redis:p",
        "https://db.internal/p",
        "https://x.localhost/p",
    ],
)
def test_addresses_and_local_names_are_not_public(url: str) -> None:
    assert not names_a_public_host(parse_url(url))


def test_case_user_and_port_dont_hide_a_likeness() -> None:
    listed = parse_url("git@git.example.org:team/orb.git")
    assert listed.looks_like(parse_url("https://git.example.org:8443/Team/Orb"))
    assert not listed.looks_like(parse_url("https://git.example.org/team/orb2"))


def test_what_stands_before_an_at_is_never_shown() -> None:
    assert without_credentials("https://a:b@c@h/p") == "'***@h/p'"
