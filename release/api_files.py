"""Files made of the API document: openapi.json, a Postman collection and TypeScript types."""

import os
import subprocess
import sys
from pathlib import Path

from release.source import Refused

_FOLDER = Path(__file__).parent
_PROGRAMS = _FOLDER / "node_modules" / ".bin"
# Only a process whose folder it is imports the service of that tree.
_DOCUMENT = """
import sys, orjson
from service import app
from service.http import openapi
app.routes()
document = openapi.document("https://accounts.example.com")
sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\\n")
"""


def write(tree: Path, into: Path) -> None:
    """Write openapi.json, postman.json and accounts.d.ts of the service in `tree`. Raises Refused."""
    document = into / "openapi.json"
    document.write_bytes(_output([sys.executable, "-c", _DOCUMENT], tree))
    types = [str(_PROGRAMS / "openapi-typescript"), str(document), "--output", str(into / "accounts.d.ts")]
    _output(types, tree)
    write_postman(document, into / "postman.json")


def write_postman(document: Path, file: Path) -> None:
    """Write a Postman collection (v2.1) of an API document, with its examples. Raises Refused."""
    options = "folderStrategy=Tags,parametersResolution=Example"
    postman = [str(_PROGRAMS / "openapi2postmanv2"), "--spec", str(document), "--output", str(file)]
    _output([*postman, "--options", options], file.parent, NODE_OPTIONS=f"--require={_FOLDER / 'fixed_random.cjs'}")
    if not file.exists():  # it ends with 0 whatever happens
        raise Refused("openapi2postmanv2 wrote nothing")


def _output(words: list[str], folder: Path, **environment: str) -> bytes:
    done = subprocess.run(words, cwd=folder, env=os.environ | environment, capture_output=True, check=False)
    if done.returncode:
        raise Refused(f"{Path(words[0]).name}: {done.stderr.decode().strip()}")
    return done.stdout
