"""What a child prints is read as UTF-8, whatever the locale says."""

from helpers.training import run_command


def test_a_childs_words_survive_a_locale_without_them():
    code = "import sys; print('Größe ≤ 3 → fertig', flush=True); sys.stdout.buffer.write(b'\\xff')"
    assert run_command("python", "-c", code, LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0") == "Größe ≤ 3 → fertig\n\ufffd"
