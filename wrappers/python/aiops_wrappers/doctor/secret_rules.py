"""Text that looks like a secret: well-known token formats, and how to speak of one safely.

The formats are those that the services publish so that scanners can recognise them. A hint
shows the format's public prefix and a length, never a character of the secret.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

FEWEST_DISTINCT = 6
MOST_PER_FILE = 50


class Rule(NamedTuple):
    """One format. ``literals``: one of them stands in every match, so that most files need no
    regular expression at all."""

    kind: str
    what: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[bytes]


class Secret(NamedTuple):
    """Where something that looks like a secret stands; ``hint`` is safe to show."""

    kind: str
    start: int
    end: int
    hint: bytes


def _token(what: str, prefixes: tuple[bytes, ...], body: bytes) -> Rule:
    prefix = b"|".join(re.escape(text) for text in prefixes)
    pattern = b"(?<![A-Za-z0-9_-])(?P<public>" + prefix + b")(?P<body>" + body + b")"
    return Rule("token", what, prefixes, re.compile(pattern))


# Every repetition is of one class behind a fixed prefix, so that matching is linear. None has an
# upper end where the format has none: what is behind it would be shown, and is still the secret.
RULES = (
    _token("an AWS access key id", (b"AKIA", b"ASIA"), rb"[0-9A-Z]{16}(?![0-9A-Za-z])"),
    _token("a GitHub token", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), rb"[A-Za-z0-9]{36,}"),
    _token("a GitHub token", (b"github_pat_",), rb"[A-Za-z0-9_]{22,}"),
    _token("a GitLab token", (b"glpat-", b"gldt-", b"glrt-"), rb"[A-Za-z0-9_-]{20,}"),
    _token(
        "a Slack token",
        (b"xoxb-", b"xoxp-", b"xoxa-", b"xoxr-", b"xoxs-"),
        rb"[A-Za-z0-9-]{20,}",
    ),
    _token("a Google API key", (b"AIza",), rb"[A-Za-z0-9_-]{35}"),
    _token("an Anthropic key", (b"sk-ant-",), rb"[A-Za-z0-9_-]{20,}"),
    _token("an OpenAI key", (b"sk-proj-", b"sk-svcacct-", b"sk-admin-"), rb"[A-Za-z0-9_-]{20,}"),
    _token("an OpenAI key", (b"sk-",), rb"[A-Za-z0-9]{40,}"),
    _token("a Stripe key", (b"sk_live_", b"rk_live_"), rb"[A-Za-z0-9]{16,}"),
    _token("an npm token", (b"npm_",), rb"[A-Za-z0-9]{36}"),
    _token("a PyPI token", (b"pypi-AgEI",), rb"[A-Za-z0-9_-]{50,}"),
    _token("a Hugging Face token", (b"hf_",), rb"[A-Za-z0-9]{34}"),
    _token("a SendGrid key", (b"SG.",), rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _token("a DigitalOcean token", (b"dop_v1_", b"doo_v1_", b"dor_v1_"), rb"[a-f0-9]{64}"),
    _token("a Tailscale key", (b"tskey-",), rb"[a-z]{3,12}-[A-Za-z0-9-]{12,}"),
    Rule(
        "private_key",
        "a private key",
        (b" PRIVATE KEY",),
        re.compile(
            # At the start of a line, or with a body behind an escaped line end: a program that
            # merely mentions the header isn't a key.
            rb"(?:^[ \t]{0,16}[\"']?|(?=[^\n]{0,80}-\\n[A-Za-z0-9+/]{16}))"
            rb"(?P<public>-----BEGIN (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY(?: BLOCK)?-----)",
            re.MULTILINE,
        ),
    ),
    Rule(
        "password_in_url",
        "a password",
        (b"://",),
        re.compile(
            rb"(?P<public>://)[^\s/:@\"'<>]{1,64}:(?P<body>[^\s/@\"'<>]{6,128})@[A-Za-z0-9\[]"
        ),
    ),
)
_NO_SECRET = re.compile(
    rb"(?i:example|placeholder|changeme|password)|\$[({A-Z_]|\{\{|%\(|\*\*\*|\.\.\."
)


def find_secrets(data: bytes) -> Iterator[Secret]:
    """What in ``data`` looks like a secret, rule by rule; at most 50 a rule.

    Placeholders are left out: text that says so itself, templates, and bodies of fewer than
    six different characters.
    """
    for rule in RULES:
        if not any(literal in data for literal in rule.literals):
            continue
        found = 0
        for match in rule.pattern.finditer(data):
            body = match.groupdict().get("body")
            if body is not None and (
                len(set(body)) < FEWEST_DISTINCT or _NO_SECRET.search(body) is not None
            ):
                continue
            start = match.start("public")
            yield Secret(rule.kind, start, match.end(), _hint(rule, match))
            found += 1
            if found == MOST_PER_FILE:
                break


def _hint(rule: Rule, match: re.Match[bytes]) -> bytes:
    if rule.kind == "token":
        body = match["body"]
        return b"%s: %s\xe2\x80\xa6 and %d more characters" % (
            rule.what.encode(), match["public"], len(body)
        )  # fmt: skip
    return rule.what.encode()


def redacted(data: bytes) -> bytes:
    """``data`` with everything that looks like a secret replaced by its hint.

    For names and link targets: they are shown, and somebody may have put a secret there.
    """
    found = sorted(find_secrets(data), key=lambda secret: secret.start)
    parts, at = [], 0
    for secret in found:
        if secret.end <= at:
            continue
        parts += [data[at : max(at, secret.start)], b"<", secret.hint, b">"]
        at = secret.end
    return b"".join([*parts, data[at:]])
