"""Requirements of OWASP ASVS on the code itself, read from its syntax trees, so that no path is left out."""

import ast
import importlib
import re
import ssl
import time
from collections.abc import Iterator

import pytest

from testkit.sources import modules

_PROGRAMS = {
    "subprocess", "os.system", "os.popen", "os.spawnv", "os.execv", "Popen", "create_subprocess_exec",
    "create_subprocess_shell", "multiprocessing", "ProcessPoolExecutor",
}  # fmt: skip
_CODE = {"eval", "exec", "__import__", "pickle", "marshal", "shelve", "dill", "cloudpickle", "literal_eval", "yaml"}
_EXPOSED = {"add_static", "FileResponse", "set_debug", "WebSocketResponse", "setup_aiohttp_debugtoolbar"}
_REDIRECTS = re.compile(r"HTTP(?:Found|SeeOther|MovedPermanently|TemporaryRedirect|PermanentRedirect)|Location")
# What asvs.toml says is not ours: who brings one of these in has requirements to meet.
_FOREIGN = {
    "xml", "lxml", "defusedxml", "ldap", "ldap3", "pymemcache", "pylibmc", "memcache", "graphql", "strawberry",
    "websockets", "authlib", "oauthlib", "saml2", "csv", "zipfile", "tarfile", "PIL", "markdown", "bleach", "ctypes",
    "cffi", "imaplib", "requests", "httpx", "urllib.request", "Crypto", "cryptography", "nacl",
}  # fmt: skip
_READS_XML = "service.cli.projects.svg_check"
# Each meets the requirements in one place: 1.5.1, and 11.3. Passkeys, weak hashes and providers' signatures are others'
# that are checked.
_ALLOWED = {
    _READS_XML: {"xml"},
    "service.crypto.sealing": {"cryptography"},
    "service.crypto.passkey_ceremonies": {"cryptography"},
    "service.crypto.weak_hashes": {"cryptography"},
    "service.crypto.appwrite_hashes": {"cryptography"},
    "service.crypto.dkim_keys": {"cryptography"},
    "service.crypto.log_checkpoints": {"cryptography"},
    "worker.bounces.webhooks.sendgrid": {"cryptography"},
    "worker.bounces.webhooks.sns": {"cryptography"},
}
# Builds a pattern of the operator's own address, escaped.
_OF_SETTINGS = {"worker.bounces.return_path"}
_HOSTILE = ("a", "a.", "a-", "1", "%61", "[", "x@", "\\", "$", "xn--", "\u0130", ":", "&a=", "/", "=", " ")


def ours() -> dict[str, ast.Module]:
    """Modules that production installs; the local servers of development are not among them."""
    return {name: tree for name, tree in modules("service", "worker").items() if not name.startswith("devstack")}


def words(tree: ast.Module) -> set[str]:
    """Every name, attribute and imported name that stands in a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                found.add(name)
            case ast.Attribute(attr=name):
                found |= {name, ast.unparse(node)}
            case ast.Import(names=names):
                found |= {part for each in names for part in (each.name, each.name.partition(".")[0])}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, module.partition(".")[0]}
                found |= {name for each in names for name in (each.name, f"{module}.{each.name}")}
            case _:
                pass
    return found


@pytest.mark.parametrize("forbidden", [_PROGRAMS, _CODE, _EXPOSED, _FOREIGN], ids=["run", "eval", "serve", "speak"])
def test_what_is_not_there_can_not_be_abused(forbidden: set[str]):
    """No program is started, no text becomes code or objects, no folder is served, no foreign format is read."""
    found = {name: met for name, tree in ours().items() if (met := words(tree) & forbidden)}
    assert {name: met for name, met in found.items() if _ALLOWED.get(name) != met} == {}


def test_xml_is_read_in_one_place():
    """An operator's logo is the only XML; what reads it is Python's expat, without entities (1.5.1)."""
    tree = ours()[_READS_XML]
    assert {name for name in words(tree) if name.startswith("xml.")} == {"xml.parsers", "xml.parsers.expat"}
    assert {"StartDoctypeDeclHandler", "EntityDeclHandler"} <= words(tree)
    assert "ExternalEntityRefHandler" not in words(tree)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import subprocess", "subprocess"),
        ("from os import system", "os.system"),
        ("os.system(x)", "os.system"),
        ("eval('1')", "eval"),
        ("import xml.etree.ElementTree as e", "xml"),
        ("app.router.add_static('/', '.')", "add_static"),
    ],
)
def test_a_planted_word_is_found(source: str, word: str):
    """The checker sees what it is there to see."""
    assert word in words(ast.parse(source))


def test_nothing_redirects():
    """No answer sends a client elsewhere, neither from http to https without a word nor to another site.

    Our own pages alone redirect, to a path of ours, so that a secret leaves the address; and a sign-in by a provider,
    which is nothing else: to addresses of the operator's settings, and of the app as they were checked at its start.
    """
    for name, tree in ours().items():
        if name == "service.http.flow_addresses":
            assert ast.unparse(tree).count("Location") == 1
            continue
        if name == "service.http.mailed_links":
            assert ast.unparse(tree).count("Location") == 1
            assert "{'Location': address(ctx, path, **query)}" in ast.unparse(tree)
            continue
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not [word for word in words(tree) | texts if _REDIRECTS.fullmatch(word)], name


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for name in ours():
        if not name.endswith("__main__"):
            for word, value in vars(importlib.import_module(name)).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield f"{name}.{word}", value


def test_a_pattern_is_made_of_our_own_words():
    """No regular expression is built while a request is served, so nothing that came can stand in one."""
    for name, tree in ours().items():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for call in (node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "re":
                assert isinstance(call.args[0], ast.Constant) or name in _OF_SETTINGS, f"{name} {call.lineno}"


def test_no_pattern_takes_long_over_a_hostile_text():
    """Two thousand characters of what a pattern likes, with an end that it does not: an instant, never minutes."""
    found = list(patterns())
    assert len(found) > 40, "the walk has lost its way"
    for name, pattern in found:
        begun = time.process_time()
        for piece in _HOSTILE:
            text = (piece * 2000)[:2000]
            for hostile in (text + "!", "http://" + text + "\0", "a@" + text + "!"):
                pattern.fullmatch(hostile)
                pattern.match(hostile)
        assert time.process_time() - begun < 1, name


def test_weak_hashes_guard_nothing():
    """SHA-1 names a script for Redis and finds a breached password; where it stands it says that it guards nothing.

    Imported hashes of other systems may be MD5's: one module knows it, and keeps an Argon2id hash of them alone.
    """
    for name, tree in ours().items():
        assert not words(tree) & {"md5", "md4"} or name == "service.crypto.weak_hashes", name
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "sha1":
                assert {(word.arg, ast.unparse(word.value)) for word in call.keywords} == {("usedforsecurity", "False")}


def test_chance_that_can_be_guessed_guards_nothing():
    """The module `random` only spreads waits and chooses what is traced; what must not be guessed is the system's."""
    used = {name for name, tree in ours().items() if "random" in words(tree)}
    assert used == {
        "service.cli.log.outputs", "service.db.retries", "service.store.migrations", "service.tracing", "worker.retries"
    }  # fmt: skip
    for name in used:
        calls = [node for node in ast.walk(ours()[name]) if isinstance(node, ast.Attribute)]
        assert {node.attr for node in calls if ast.unparse(node.value) == "random"} <= {"uniform", "random"}, name


def test_tls_is_of_today():
    """To a relay: 1.2 or newer, certificates and host names checked. Nobody here turns either off."""
    context = ssl.create_default_context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    loose = {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "check_hostname", "minimum_version"}
    assert {name: found for name, tree in ours().items() if (found := words(tree) & loose)} == {}
