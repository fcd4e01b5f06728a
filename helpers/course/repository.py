"""Where the course lives: the one setting, or else git's ``origin``; and the address of a file there."""

import re
import subprocess
import tomllib
from urllib.parse import urlsplit

from helpers.paths import ROOT

BRANCH = "main"  # the only one
# Public forges and the software behind each; by the software, what stands between a repository and one of its files.
_FORGES = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "bitbucket.org": "bitbucket",
    "codeberg.org": "forgejo",
    "gitea.com": "forgejo",
}
_FILES = {"github": "blob", "gitlab": "-/blob", "bitbucket": "src", "forgejo": "src/branch"}
# Their machines for ssh on port 443, and a name that browsers are sent on from.
_ALIASES = {
    "ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "altssh.bitbucket.org": "bitbucket.org",
    "www.github.com": "github.com",
}  # fmt: skip


def course_address() -> str:
    """The repository's address: the one setting ``[tool.course] repository`` in pyproject.toml; empty if it isn't set.

    At a public forge as :func:`web_address` writes it. Elsewhere as it is set, ``.git`` included, which a plain git server
    needs; but without a name or a token before the host, since it is printed, and without a slash at its end.
    """
    given = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]["repository"]
    return web_address(given) or re.sub(r"^(https?://)[^/]*@", r"\1", given).rstrip("/")


def repository_address() -> tuple[str, bool]:
    """Where the repository lives, as set in pyproject.toml; else its ``origin``, if that is at a public forge. Whether it was
    found that way is the second. Empty if neither is known."""
    if address := course_address():
        return address, False
    try:
        done = subprocess.run(["git", "remote", "get-url", "origin"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:  # a course that was downloaded as an archive, on a machine without git
        return "", False
    address = web_address(done.stdout.strip())
    return address, bool(address)


def web_address(remote: str) -> str:
    """The page in the web of a repository that git knows as ``remote``, in any form that git takes; empty if it is at no public
    forge. A name or a token in it is dropped."""
    host, path = _at_forge(remote)
    return f"https://{host}/{path}" if host else ""


def forge(address: str) -> str:
    """The software behind a repository's address: github, gitlab, bitbucket, forgejo; empty where that isn't known."""
    return _FORGES.get(_at_forge(address)[0], "")


def file_address(address: str, path: str) -> str:
    """Where the file or folder ``path`` of the repository at ``address`` is shown; empty where the form of that isn't known."""
    page, software = web_address(address), forge(address)
    return f"{page}/{_FILES[software]}/{BRANCH}/{path}" if software else ""


def _at_forge(remote: str) -> tuple[str, str]:
    """The forge's host and the repository's path there; both empty if it is anywhere else."""
    if "://" not in remote:  # git@github.com:me/course.git
        remote = re.sub(r"^([^/:]+):", r"ssh://\1/", remote)
    try:
        parts = urlsplit(remote)
    except ValueError:  # brackets that hold no IPv6 address
        return "", ""
    host, path = _ALIASES.get(parts.hostname, parts.hostname), parts.path.strip("/").removesuffix(".git")
    if parts.scheme not in ("https", "http", "ssh", "git") or host not in _FORGES:
        return "", ""
    groups = "+" if _FORGES[host] == "gitlab" else ""  # a group may hold groups there
    return (host, path) if re.fullmatch(rf"(?:[\w.-]+/){groups}[\w.-]+", path) else ("", "")
