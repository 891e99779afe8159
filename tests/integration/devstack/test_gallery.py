"""The letters gallery beside the mailbox of `./dev run`."""

import os
from contextlib import asynccontextmanager

from aiohttp import ClientSession

from devstack.gallery import COMMAND, Gallery
from devstack.mailbox import open_mailbox

# Stands for the gallery's command: says how often it has run.
COUNT = ("sh", "-c", 'mkdir -p "$0"; echo rendered >>"$0/count"; cp "$0/count" "$0/index.html"')


@asynccontextmanager
async def gallery(folder, command=COMMAND):
    templates = folder / "templates"
    templates.mkdir()
    routes = Gallery(folder / "gallery", templates=templates, command=command).routes()
    async with open_mailbox(routes=routes) as box, ClientSession(f"http://127.0.0.1:{box.page_port}") as session:
        yield session


async def test_every_letter_is_shown_and_nothing_else(tmp_path):
    """The index leads to each letter in each language, which runs no script and loads nothing."""
    async with gallery(tmp_path) as http:
        index = await http.get("/gallery")
        assert (index.status, index.url.path) == (200, "/gallery/")
        assert 'href="de/recovery-full.html"' in await index.text()
        letter = await http.get("/gallery/de/recovery-full.html")
        assert (letter.status, letter.content_type) == (200, "text/html")
        assert "default-src 'none'" in letter.headers["Content-Security-Policy"]
        text = await http.get("/gallery/de/recovery-full.txt")
        assert (await text.text()).startswith("Subject: ")
        (tmp_path / "secret.txt").touch()
        for name in ("xx/recovery-full.html", "de/recovery-full", "..%2fsecret.txt", "de/..%2f..%2f..%2fsecret.txt"):
            assert (await http.get(f"/gallery/{name}")).status == 404, name


async def test_a_changed_template_is_seen_at_the_next_look(tmp_path):
    """The letters are rendered at the first look, and again only when a template has changed since."""
    async with gallery(tmp_path, COUNT) as http:
        for _ in range(2):
            assert await (await http.get("/gallery/")).text() == "rendered\n"
        template = tmp_path / "templates" / "body.html"
        template.touch()
        later = (tmp_path / "gallery" / "index.html").stat().st_mtime + 1
        os.utime(template, (later, later))
        assert await (await http.get("/gallery/")).text() == "rendered\nrendered\n"


async def test_a_broken_template_is_named(tmp_path):
    """The command's last words stand in the place of the letters."""
    async with gallery(tmp_path, ("sh", "-c", "echo line 3: unexpected end; exit 1")) as http:
        answer = await http.get("/gallery/")
        assert answer.status == 500
        assert "unexpected end" in (await answer.json())["message"]
