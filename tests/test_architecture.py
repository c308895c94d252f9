"""The structure that every change is held to: who imports whom, and what a query may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from samples import SAMPLES, Run

import vecsearch

PACKAGE = Path(vecsearch.__file__).parent
ALLOWED = {
    "arguments": set(),
    "errors": set(),
    "__main__": {"cli"},
    "locks": set(),
    "types": set(),
    "fields": set(),
    "outfile": set(),
    "paths": set(),
    "spelling": set(),
    "spreadsheet": set(),
    "wording": set(),
    "images": set(),
    "embed": {"images"},
    "store": set(),
    "index": set(),
    "exchange": set(),
    "building": {"images", "embed", "store", "index", "exchange"},
    "search": {"images", "embed", "store", "index", "exchange"},
    "copies": {"images", "embed", "store", "index", "search"},
    "evaluation": {"store", "search"},
    "layout": set(),
    "view": {"images", "layout"},
    "cli": {
        "building",
        "copies",
        "embed",
        "evaluation",
        "exchange",
        "layout",
        "search",
        "store",
        "view",
    },
}
"""Which parts a part may import, besides those that `ALL_MAY`."""

ALL_MAY = {
    *("arguments", "errors", "fields", "locks", "outfile", "paths"),
    *("spelling", "spreadsheet", "types", "wording"),
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Find the parts of vecsearch that a file imports anywhere, functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in modules if name.startswith("vecsearch.")}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.name))
def test_imports_go_one_way(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return
    part = part_of(path)
    assert imports_of(path) <= ALLOWED[part] | {part} | ALL_MAY


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = modules_after("import vecsearch; vecsearch.UsageError")
    assert not loaded & {"numpy", "faiss", "openvino", "torch", "PIL", "sklearn", "matplotlib"}


def test_the_public_names_are_sorted_and_there() -> None:
    assert vecsearch.__all__ == sorted(vecsearch.__all__)
    for name in vecsearch.__all__:
        assert getattr(vecsearch, name).__doc__


def test_a_query_on_a_copied_index_loads_no_training_stack(
    sample_index: Path, tmp_path: Path
) -> None:
    """An index copied elsewhere answers a picture that it has never seen."""
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    subprocess.run(["cp", "-r", sample_index, copied], check=True)
    (tmp_path / "new.jpg").write_bytes((SAMPLES / "pizza2.jpg").read_bytes())
    code = f"""
import sys
from vecsearch.cli.main import main
sys.argv = ["vecsearch", "query", "{tmp_path}/new.jpg", "-i", "{copied}/index",
            "--sheet", "{tmp_path}/sheet.png"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    loaded = modules_after(code)
    assert "openvino" in loaded
    assert not loaded & {"torch", "torchvision", "sklearn", "matplotlib", "pandas"}
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_an_indexed_picture_is_answered_without_the_encoder(sample_index: Path) -> None:
    for query in ("id:5", str(SAMPLES / "pizza2.jpg")):
        code = f"""
import vecsearch
with vecsearch.open_index("{sample_index}") as index:
    assert len(index.query(["{query}"])[0].hits) == 5
"""
        assert not modules_after(code) & {"openvino", "torch", "PIL"}


def modules_after(code: str) -> set[str]:
    """Run *code* in a fresh interpreter and tell the top-level modules that it loaded."""
    script = f"{code}\nimport sys\nprint('MODULES', *{{m.split('.')[0] for m in sys.modules}})"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES")[2].split())


def test_every_command_has_help_with_examples(run: Run) -> None:
    listing = run("--help").stdout
    commands = [
        line.split()[0] for line in listing.partition("Commands:")[2].splitlines() if line.strip()
    ]
    assert {"build", "query", "viz", "recommend", "info", "demo"} <= set(commands)
    for command in commands:
        text = run(command, "--help").stdout
        assert f"vecsearch {command}" in text.partition("Examples:")[2], command


def test_nothing_is_sent_anywhere(sample_index: Path, tmp_path: Path) -> None:
    """Build, quantise, query and draw; Python reports every connection to the hook first."""
    code = f"""
import sys
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        seen.append((event, arguments))
sys.addaudithook(hook)
import vecsearch
from vecsearch.cli.main import cli
config = vecsearch.EncoderConfig(layer="block1_pool", weights="random:0", precision="int8")
options = vecsearch.BuildOptions(force=True)
vecsearch.build("{SAMPLES}", index="{tmp_path}/ix", encoder=config, options=options)
cli(["query", "id:1", "-i", "{tmp_path}/ix", "--sheet", "{tmp_path}/s.png"], standalone_mode=False)
cli(["query", "{SAMPLES}/pizza1.jpg", "-i", "{sample_index}"], standalone_mode=False)
cli(["viz", "-i", "{tmp_path}/ix", "-o", "{tmp_path}/t.png"], standalone_mode=False)
assert "nncf" in sys.modules and "openvino" in sys.modules
assert "openvino_telemetry" not in sys.modules
assert not seen, seen
import urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1:9/")
except OSError:
    pass
assert seen  # the hook does see what there is
"""
    modules_after(code)
