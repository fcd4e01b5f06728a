"""Where the course lives, whatever form git or pyproject.toml has that in; no token of it comes out."""

import pytest

from helpers.course import course_address, file_address, forge, repository, repository_address, web_address

ADDRESS = "https://github.com/me/course"


@pytest.fixture
def setting(monkeypatch, tmp_path):
    """Sets the address in a pyproject.toml of its own."""
    monkeypatch.setattr(repository, "ROOT", tmp_path)

    def write(address: str) -> None:
        (tmp_path / "pyproject.toml").write_text(f'[tool.course]\nrepository = "{address}"\n', encoding="utf-8")

    return write


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/me/course", ADDRESS),
        ("https://github.com/me/course.git", ADDRESS),
        ("https://github.com/me/course.git/", ADDRESS),
        ("https://www.github.com/me/course/", ADDRESS),
        ("https://GitHub.com/me/course", ADDRESS),
        ("http://github.com/me/course", ADDRESS),
        ("https://ghp_secret@github.com/me/course.git", ADDRESS),
        ("https://me:ghp_secret@github.com:443/me/course.git", ADDRESS),
        ("git@github.com:me/course.git", ADDRESS),
        ("github.com:/me/course", ADDRESS),
        ("git://github.com/me/course.git", ADDRESS),
        ("ssh://git@github.com/me/course.git", ADDRESS),
        ("ssh://git@github.com:22/me/course.git", ADDRESS),
        ("ssh://git@ssh.github.com:443/me/course.git", ADDRESS),
        ("git@gitlab.com:group/sub/course.git", "https://gitlab.com/group/sub/course"),
        ("ssh://git@altssh.gitlab.com:443/me/course.git", "https://gitlab.com/me/course"),
        ("https://me@bitbucket.org/me/course.git", "https://bitbucket.org/me/course"),
        ("git@codeberg.org:me/course.git", "https://codeberg.org/me/course"),
        ("https://git.example.org/me/course", ""),
        ("git@git.example.org:me/course.git", ""),
        ("https://github.com.example.org/me/course", ""),
        ("https://github.com@example.org/me/course", ""),
        ("https://github.com/me", ""),
        ("https://github.com/me/course/tree/main", ""),
        ("file://github.com/me/course", ""),
        ("[git@github.com:22]:me/course", ""),
        ("C:/github.com/me/course", ""),
        ("/somewhere/github.com/me/course", ""),
        ("../course", ""),
        ("", ""),
    ],
)
def test_an_address_is_taken_from_git_only_at_a_public_forge(monkeypatch, setting, remote, address):
    setting("")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: type("Done", (), {"stdout": remote + "\n"}))
    assert web_address(remote) == address
    assert repository_address() == (address, bool(address))


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (ADDRESS, ADDRESS),
        (f"{ADDRESS}.git", ADDRESS),
        (f"{ADDRESS}/", ADDRESS),
        ("git@github.com:me/course.git", ADDRESS),
        ("https://git.example.org/me/course/", "https://git.example.org/me/course"),
        ("https://me:secret@git.example.org:8443/me/course.git", "https://git.example.org:8443/me/course.git"),
        ("", ""),
    ],
)
def test_an_address_that_is_set_is_brought_into_one_form(monkeypatch, setting, given, address):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: type("Done", (), {"stdout": ""}))
    setting(given)
    assert course_address() == address
    assert repository_address() == (address, False)


def test_without_git_there_is_no_address(monkeypatch, setting):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    setting("")
    monkeypatch.setattr("subprocess.run", no_git)
    assert repository_address() == ("", False)


@pytest.mark.parametrize(
    ("address", "software", "there"),
    [
        (ADDRESS, "github", f"{ADDRESS}/blob/main/docs/gpu.md"),
        ("https://gitlab.com/group/sub/course", "gitlab", "https://gitlab.com/group/sub/course/-/blob/main/docs/gpu.md"),
        ("https://bitbucket.org/me/course", "bitbucket", "https://bitbucket.org/me/course/src/main/docs/gpu.md"),
        ("https://codeberg.org/me/course", "forgejo", "https://codeberg.org/me/course/src/branch/main/docs/gpu.md"),
        ("https://git.example.org/me/course", "", ""),
        ("", "", ""),
    ],
)
def test_a_file_has_an_address_where_its_form_is_known(address, software, there):
    assert (forge(address), file_address(address, "docs/gpu.md")) == (software, there)
