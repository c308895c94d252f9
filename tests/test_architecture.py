"""The structure that every change is held to: who imports whom, and what a query may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from samples import SAMPLES, Run

import vecsearch

PACKAGE = Path(vecsearch.__file__).parent
FLOORS: dict[str, set[str]] = {
    "images": set(),
    "embed": {"images"},
    "ann": set(),
    "store": set(),
    "search": {"images", "embed", "ann", "store"},
    "cluster": {"embed", "store", "search"},
    "indexing": {"images", "embed", "ann", "store"},
    "maintenance": {"images", "embed", "ann", "store", "indexing", "cluster"},
    "planning": {"embed", "ann", "store", "indexing"},
    "transfer": {"images", "embed", "store", "indexing", "search", "cluster"},
    "deduplication": {"images", "embed", "ann", "store", "search", "cluster"},
    "evaluation": {"ann", "store", "search", "cluster", "transfer"},
    "layout": set(),
    "view": {"images", "layout", "deduplication"},
    "server": {
        *("images", "embed", "search", "indexing", "maintenance", "deduplication"),
        *("cluster", "layout", "view"),
    },
    "cli": {
        *("embed", "store", "search", "indexing", "maintenance", "planning", "transfer"),
        *("cluster", "deduplication", "evaluation", "layout", "view", "server"),
    },
    "__main__": {"cli"},
}
"""Which rooms the files of a room may import from, besides `FOR_ALL`."""

FOR_ALL = {
    *("arguments", "errors", "fields", "files", "forks", "once", "paths"),
    *("spelling", "spreadsheet", "types", "unit_length", "wording"),
}
"""Files of the package itself, which import from no room."""

MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(module: str) -> set[str]:
    """Find the modules of vecsearch that a file imports anywhere, functions included."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        names: list[tuple[str, str]] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = [(f"{node.module}.{alias.name}", f"{node.module}") for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [(alias.name, alias.name) for alias in node.names]
        found |= {full if full in MODULES else parent for full, parent in names}
    return {name for name in found if name in MODULES}


IMPORTS = {module: imports_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    room = room_of(module)
    allowed = set() if room in FOR_ALL else FLOORS[room]
    assert {room_of(one) for one in IMPORTS[module]} <= allowed | {room} | FOR_ALL


def test_floors_form_no_circle() -> None:
    list(TopologicalSorter(FLOORS).static_order())


def test_files_form_no_circle() -> None:
    list(TopologicalSorter(IMPORTS).static_order())


def test_files_of_one_name_are_a_command_and_what_it_calls_and_prints() -> None:
    rooms: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            rooms.setdefault(path.name, []).append(room_of(module))
    for name, shared in rooms.items():
        if len(shared) > 1:
            assert "cli" in shared, (name, shared)
            assert len(set(shared) - {"cli", "view"}) <= 1, (name, shared)
            assert len(set(shared)) == len(shared), (name, shared)


def test_no_room_hides_a_public_name() -> None:
    """Importing a file of a room sets the room's name in the package."""
    assert not {room_of(module) for module in MODULES} & set(vecsearch.__all__)


@pytest.mark.parametrize("module", [one for one in MODULES if room_of(one) == "embed"])
def test_a_network_is_known_to_its_own_file_and_the_registry(module: str) -> None:
    own = ("vecsearch.embed.backbones.vgg19", "vecsearch.embed.backbones.efficientnet_lite")
    if module not in (*own, "vecsearch.embed.backbones.registry"):
        text = MODULES[module].read_text().lower()
        assert "vgg" not in text
        assert "efficientnet" not in text
        assert not IMPORTS[module] & set(own)


def test_the_command_line_knows_an_open_index_as_queryable_alone() -> None:
    within = {f"vecsearch.search.{name}" for name in ("index", "index_reader", "generations")}
    for module, imported in IMPORTS.items():
        if room_of(module) == "cli" and module != "vecsearch.cli.open":
            assert not imported & within, module


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


def test_every_command_has_help_with_examples(run_here: Run) -> None:
    listing = run_here("--help").stdout
    commands = [
        line.split()[0] for line in listing.partition("Commands:")[2].splitlines() if line.strip()
    ]
    assert {"build", "query", "viz", "recommend", "info", "demo"} <= set(commands)
    for command in commands:
        text = run_here(command, "--help").stdout
        assert f"vecsearch {command}" in text.partition("Examples:")[2], command


def test_nothing_is_sent_anywhere(sample_index: Path, sample_list: Path, tmp_path: Path) -> None:
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
config = vecsearch.EncoderConfig(layer="block1_conv1", weights="random:0", precision="int8")
options = vecsearch.BuildOptions(force=True)
index = "{tmp_path}/ix"
vecsearch.build(from_list="{sample_list}", index=index, encoder=config, options=options)
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
