"""`./dev` making its environment, with stand-ins for Python, pip and uv that install nothing."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = """\
#!/bin/sh
case "$*" in
  "-c import sys; print("*) echo 3.11 ;;
  "-m venv"*) for folder in "$@"; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
  "-m pip install"*)
    for lock in "$@"; do :; done
    sed -n 's/^\\([a-z0-9-]*\\)==.*/Collecting \\1 (from -r x)/p' "$lock"
    echo "Installing collected packages: many"
    exit "$(cat pip.ends)" ;;
  -) exit 1 ;;
  "-P -m devstack"*) echo "$PWD $PYTHONPATH $*" ;;
  "-m devstack"*) echo "devstack runs" ;;
esac
"""
NAMES = [f"package-{n}" for n in range(20)]


@pytest.fixture
def clone(tmp_path):
    """A folder with `dev` and a lock, and PYTHON for it."""
    (tmp_path / "dev").write_bytes((ROOT / "dev").read_bytes())
    (tmp_path / "requirements-embedded.lock").write_text("".join(f"{name}==1 \\\n    --hash=x\n" for name in NAMES))
    (tmp_path / "pip.ends").write_text("0")
    (tmp_path / "programs").mkdir()
    write(tmp_path / "programs" / "python", PYTHON)
    return tmp_path


def write(path, text):
    path.write_text(text)
    path.chmod(0o755)


def run(clone, *words, cwd=None):
    return subprocess.run(
        ["bash", clone / "dev", *(words or ["run"])], cwd=cwd, capture_output=True, text=True, check=False,
        env={"PATH": f"{clone / 'programs'}:{os.environ['PATH']}", "PYTHON": str(clone / "programs" / "python")},
    )  # fmt: skip


@pytest.fixture
def broken_uv(clone):
    write(clone / "programs" / "uv", "#!/bin/sh\nexit 1\n")


@pytest.mark.usefixtures("broken_uv")
def test_an_installation_shows_how_far_it_is(clone):
    """Without a terminal each tenth package has a line, and the unpacking too; the next run installs nothing."""
    first, second = run(clone), run(clone)
    said = first.stderr.splitlines()
    assert said[1] == "  uv could not install it; trying pip ..."
    assert said[2:] == ["  10 of 20 packages", "  20 of 20 packages", "  20 packages are here; unpacking ..."]
    assert (first.returncode, first.stdout) == (0, "devstack runs\n")
    assert (second.stderr, second.stdout) == ("", "devstack runs\n")


@pytest.mark.usefixtures("broken_uv")
def test_a_failed_installation_is_tried_again(clone):
    """A failed installation ends the run, and the next run tries again instead of taking it for done."""
    (clone / "pip.ends").write_text("1")
    for _ in range(2):
        done = run(clone)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("dev: the packages of requirements-embedded.lock could not be")


def test_uv_installs_where_it_is_at_hand(clone):
    """On a machine with uv it installs, from the same lock with its hashes, and pip is not asked."""
    write(clone / "programs" / "uv", '#!/bin/sh\necho "uv $*"\n')
    (clone / "pip.ends").write_text("1")
    done = run(clone)
    words = "pip install --python .venv/bin/python --no-deps --require-hashes -r requirements-embedded.lock"
    assert (done.returncode, done.stdout) == (0, f"uv {words}\ndevstack runs\n")


@pytest.mark.usefixtures("broken_uv")
def test_a_command_runs_in_the_callers_folder(clone, tmp_path_factory):
    """Names of files that are given to `./dev cli` are the caller's."""
    here = tmp_path_factory.mktemp("here")
    done = run(clone, "cli", "users", "import", "demo", "users.jsonl", cwd=here)
    assert done.stdout == f"{here} {clone} -P -m devstack cli users import demo users.jsonl\n"
