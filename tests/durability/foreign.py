"""Foreign formats: good samples of each, and what reads it."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import apsw
import numpy as np
import torch
from safetensors.numpy import save as save_safetensors
from samples import CHEAP, draw

import vecsearch
from durability.mutants import Sample
from vecsearch.ann.settings import SearchSettings
from vecsearch.deduplication.aside_folder import open_aside
from vecsearch.deduplication.aside_journal import JOURNAL, JournalLine, folders_above, line_of
from vecsearch.deduplication.move_back import put_back
from vecsearch.deduplication.source_roots import SourceRoots
from vecsearch.embed.checkpoint import read_checkpoint
from vecsearch.embed.engines.read_network import read_network
from vecsearch.embed.spec import EncoderSpec, ExternalEncoder
from vecsearch.embed.words import Words
from vecsearch.errors import VecsearchError
from vecsearch.evaluation.label_file import read_label_file
from vecsearch.images.sources.list_file import ListSource, scan_lists
from vecsearch.images.sources.tar import TarSource
from vecsearch.search.standard_input import read_piped
from vecsearch.store import schema, sqlite
from vecsearch.store.snapshot import Snapshot
from vecsearch.transfer.formats.parquet import load_pyarrow
from vecsearch.transfer.inputs import check_ids, open_inputs
from vecsearch.transfer.normalise import to_halves
from vecsearch.types import ListName

WHOLE_EVERY: Final = 25
"""Every so many vectors are imported to the end; the others are only read."""

_ROWS: Final = 6
_SHAPES: Final = {"a.weight": (4, 3), "a.bias": (4,)}
_WORDS_DIM: Final = 8


@dataclass(frozen=True, slots=True)
class Format:
    """A format: samples of it, which may take from the *sound* folder, and what reads a file.

    ``read`` is given the file, alone in its folder, the sound folder, and a number.
    """

    name: str
    samples: Callable[[Path], Sequence[Sample]]
    read: Callable[[Path, Path, int], object]
    refusals: tuple[type[Exception], ...] = (VecsearchError,)


def make_sound(sound: Path) -> None:
    """Make what samples and readers need: an index of pictures, vectors, a journal of SQLite."""
    for number in range(8):
        draw(sound / "photos" / f"p{number}.png", number, (24, 16))
    vecsearch.build(sound / "photos", index=sound / "index", encoder=CHEAP)
    np.save(sound / "vectors.npy", _vectors())
    sqlite.load_checksum_vfs()
    catalog = sound / "index" / schema.CATALOG
    connection = apsw.Connection(str(catalog), vfs=sqlite.VFS)
    connection.execute("PRAGMA cache_size = 1; BEGIN IMMEDIATE")
    connection.execute("UPDATE images SET mtime_ns = mtime_ns + 1")
    connection.execute("CREATE TABLE more AS SELECT randomblob(20000) AS x FROM images")
    (sound / "hot").mkdir()
    for path in sound.glob("index/catalog.sqlite*"):
        shutil.copy(path, sound / "hot" / path.name)
    connection.execute("ROLLBACK")
    connection.close()


def _vectors(kind: str = "<f4") -> Any:
    values = np.random.RandomState(0).normal(size=(_ROWS, 4))
    return (values * 50).astype(kind) if kind[1] in "iu" else values.astype(kind)


def _npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=True)
    return file.getvalue()


def _npy_samples(_: Path) -> list[Sample]:
    structured = np.zeros(3, [("x", "<f4"), ("\u00e9", "<i4", (2,))])
    arrays = [
        *map(_vectors, ("<f4", ">f4", "<f2", "<f8", "|i1", "|u1", "<i8", ">u2")),
        np.asfortranarray(_vectors()),
        _vectors("<f2").view("V2"),
        np.array([{"a": 1}, None], object),
        np.zeros((0, 4), np.float32),
        np.zeros(5, np.float32),
    ]
    contents = [*map(_npy, arrays), _npy(_vectors(), (2, 0)), _npy(structured, (3, 0))]
    return [Sample.plain("x.npy", one) for one in contents]


def zipped(parts: Mapping[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Pack *parts* as a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return file.getvalue()


def _npz_samples(_: Path) -> list[Sample]:
    ids = np.array([f"photos/\u00e9{n}.png" for n in range(_ROWS)])
    made = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        for vectors in (_vectors(), np.asfortranarray(_vectors("<f2"))):
            parts = {"vector.npy": _npy(vectors), "path.npy": _npy(ids)}
            made.append(Sample("x.npz", parts, lambda parts, kind=kind: zipped(parts, kind)))  # type: ignore[misc]
    numbers = {"a.npy": _npy(_vectors()), "ids.npy": _npy(np.arange(_ROWS)), "b.txt": b"x"}
    return [*made, Sample("x.npz", numbers, zipped)]


def _parquet(table: Any, **options: Any) -> bytes:
    _, parquet = load_pyarrow()
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def _parquet_samples(_: Path) -> list[Sample]:
    pa, _parquet_module = load_pyarrow()
    rows = [[float(x) for x in row] for row in _vectors()]
    halves = [row.tobytes() for row in _vectors("<f2")]
    columns: list[Any] = [
        pa.array(rows, pa.list_(pa.float32())),
        pa.array(rows, pa.list_(pa.float64(), 4)),
        pa.array(halves, pa.binary()),
        pa.array(halves, pa.binary(8)),
        pa.array([json.dumps(row) for row in rows]),
        pa.array([json.dumps(row) for row in rows]).dictionary_encode(),
        pa.array([[int(9 * x) for x in row] for row in rows], pa.list_(pa.int8())),
        pa.array([None, *rows[1:]], pa.large_list(pa.float32())),
    ]
    ids: list[Any] = [
        pa.array([f"photos/\u00e9{n}.png" for n in range(_ROWS)]),
        pa.array(range(_ROWS), pa.int64()),
        pa.array([bytes([n]) * 16 for n in range(_ROWS)], pa.binary(16)),
    ]
    facts = {name: pa.array(range(_ROWS), pa.int64()) for name in ("size_bytes", "mtime_ns")}
    facts |= {name: pa.array(range(_ROWS), pa.int64()) for name in ("width", "height")}
    made = []
    for number, column in enumerate(columns):
        table = pa.table({"path": ids[number % len(ids)], "vector": column, **facts})
        table = table.replace_schema_metadata(
            {"vecsearch.encoder": ExternalEncoder.named("x", 4).to_json()}
        )
        compression = ("none", "snappy", "gzip", "zstd")[number % 4]
        made.append(_parquet(table, compression=compression, use_dictionary=number % 3 == 0))
    struct = pa.array([{"a": row, "b": {"c": 1}} for row in rows])
    made.append(_parquet(pa.table({"id": ids[1], "vector": column, "s": struct}), version="1.0"))
    return [Sample.plain("x.parquet", one) for one in made]


def _id_samples(_: Path) -> list[Sample]:
    names = ["photos/a b.png", "https://x.org/a//b.png", "\u00e9.png", "id:7", "007", "../x"]
    table = "".join(f'{n};"{name}"\n' for n, name in enumerate(names))
    texts = {
        "ids.txt": "\n".join(names) + "\n",
        "ids.json": json.dumps([*names[:4], 5, None]),
        "ids.csv": f"number;path\n{table}",
        "ids.tsv": "path\tx\n" + "".join(f"{name}\t1\n" for name in names),
    }
    made = [Sample.plain(name, text.encode()) for name, text in texts.items()]
    made.append(Sample.plain("ids.txt", texts["ids.txt"].encode("utf-16")))
    made.append(Sample.plain("ids.npy", _npy(np.array(names))))
    made.append(Sample.plain("ids.npy", _npy(np.array([b"a", b"\xff\0", *b"cdef"], "S3"))))
    pa, _parquet_module = load_pyarrow()
    made.append(Sample.plain("ids.parquet", _parquet(pa.table({"key": names}))))
    return made


def _read_vectors(path: Path, sound: Path, number: int) -> None:
    options = vecsearch.ImportOptions(dtype="float16")
    inputs = open_inputs([path.parent if number % 7 == 0 and _is_part(path) else path], options)
    check_ids(inputs)
    for one in inputs:
        one.claimed_encoder()
        for block in one.vectors.blocks(4):
            to_halves(block.values)
        for _ in one.facts() or ():
            pass
    if number % WHOLE_EVERY == 0:
        vecsearch.import_vectors(path, index=path.with_name("index"), options=options)


def _is_part(path: Path) -> bool:
    return path.suffix == ".parquet"


def _read_ids(path: Path, sound: Path, number: int) -> None:
    options = vecsearch.ImportOptions(ids=[path], root="/photos" if number % 2 else None)
    if number % WHOLE_EVERY == 0:
        index = path.with_name("index")
        vecsearch.import_vectors(sound / "vectors.npy", index=index, options=options)
    else:
        check_ids(open_inputs([sound / "vectors.npy"], options))


def _list_samples(sound: Path) -> list[Sample]:
    names = [*map(os.fsencode, sorted((sound / "photos").iterdir())), b"a b.png", b"\xff.png", b""]
    contents = [b"\n".join(names), b"\r\n".join(names), b"\0".join(names)]
    return [Sample.plain("list.txt", one) for one in contents]


def _read_list(path: Path, sound: Path, number: int) -> None:
    (scan,) = scan_lists([ListSource(ListName.of(path), path.parent, number % 3 == 0)])
    for _, chunks in scan.walk(scan):
        for _ in chunks:
            pass
    if b"://" not in (data := path.read_bytes()):
        read_piped(data, null=number % 3 == 0)


def _tarred(parts: Mapping[str, bytes], form: int, header: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(data), dict(header)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _tar_samples(sound: Path) -> list[Sample]:
    parts = {f"{'long/' * 30}p0.png": (sound / "photos/p0.png").read_bytes(), "a.png": b"x" * 700}
    made = [_tarred(parts, form, {}) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)]
    headers: tuple[dict[str, str], ...] = (
        {"mtime": "1.5", "path": "\u00e9.png", "size": "700"},
        {"GNU.sparse.map": "0,1,9,2", "GNU.sparse.size": "700", "comment": "x" * 600},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"},
        {"hdrcharset": "BINARY", "SCHILY.xattr.user.x": "y"},
    )
    made += [_tarred(parts, tarfile.PAX_FORMAT, header) for header in headers]
    return [Sample("x.tar", {"": one, " ": b""}, _with_right_headers) for one in made]


def _with_right_headers(parts: Mapping[str, bytes]) -> bytes:
    """Return the headers of a tar, wherever blocks look like one, the checksum of their content."""
    data = bytearray(parts[""])
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            total = sum(data[start : start + 512])
            data[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(data)


def _read_tar(path: Path, sound: Path, number: int) -> None:
    source = TarSource(path)
    scan = source.scan()
    for _, chunks in scan.walk(scan):
        for chunk in chunks:
            for name, *_ in chunk:
                with suppress(OSError):  # such a member is skipped
                    source.read(Path(os.fsdecode(name)))


def _label_samples(sound: Path) -> list[Sample]:
    paths = sorted(map(str, (sound / "photos").iterdir()))
    lines = [f"{path},{'ab'[place % 2]}" for place, path in enumerate(paths)]
    ids = "id;category\n" + "".join(f"{n};{'xy'[n % 2]}\n" for n in range(8))
    texts = ["\n".join(lines), "path,label\n" + "\n".join(lines), ids, '"id:1"\t"a\u00e9"\n']
    return [Sample.plain("labels.csv", text.encode()) for text in texts]


@cache
def _snapshot(index: Path) -> Snapshot:
    return Snapshot(index)


def _read_labels(path: Path, sound: Path, number: int) -> None:
    read_label_file(path, _snapshot(sound / "index"))


def _journal_samples(sound: Path) -> list[Sample]:
    source = sound / "photos"
    lines = []
    for number in range(3):
        path = source / f"p{number}.png"
        facts = path.stat()
        folders = folders_above(path)
        moved = JournalLine(path, Path(f"/x/p{number}.png"), facts.st_size, 1, "0" * 64, folders)
        lines.append(line_of(moved, Path("/x")))
    return [Sample.plain(JOURNAL, b"".join(lines)), Sample.plain(JOURNAL, lines[0])]


def _read_journal(path: Path, sound: Path, number: int) -> None:
    folder = path.parent
    (folder / "p1.png").write_bytes(b"x")
    places = SourceRoots([sound / "photos"], lambda _: False)
    if number % 2:
        with open_aside(folder):
            pass
    for one in put_back(folder, places):
        str(one.reason)


def _hot_samples(sound: Path) -> list[Sample]:
    parts = {path.name: path.read_bytes() for path in (sound / "hot").iterdir()}
    journal = parts[f"{schema.CATALOG}-journal"]
    return [Sample.plain(f"{schema.CATALOG}-journal", one) for one in (journal, journal[:512])]


def _read_hot(path: Path, sound: Path, number: int) -> None:
    index = path.parent
    for folder in ("vectors", "encoder", "ann"):
        if (sound / "index" / folder).exists() and not (index / folder).exists():
            shutil.copytree(sound / "index" / folder, index / folder)
    shutil.copy(sound / "hot" / schema.CATALOG, index / schema.CATALOG)
    with closing(Snapshot(index)) as snapshot:
        list(snapshot.images())


def _network_samples(sound: Path) -> list[Sample]:
    (xml,) = sound.glob("index/encoder/*.xml")
    return [Sample.plain("x.xml", xml.read_bytes())]


def _read_network(path: Path, sound: Path, number: int) -> None:
    (constants,) = sound.glob("index/encoder/*.bin")
    read_network(path, constants)


def _weight_samples(_: Path) -> list[Sample]:
    random = np.random.RandomState(0)
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in _SHAPES.items()}
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    made = []
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        file = io.BytesIO()
        torch.save(state, file, **options)
        made.append(file.getvalue())
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    safe = save_safetensors({**arrays, "b": np.zeros((2, 2), np.float16)}, {"x": "y"})
    return [
        Sample("x.pth", parts, zipped),
        *(Sample.plain("x.pth", one) for one in made),
        Sample.plain("x.safetensors", safe),
    ]


def _read_weights(path: Path, sound: Path, number: int) -> None:
    read_checkpoint(path, _SHAPES, "VGG19")


def _description_samples(sound: Path) -> list[Sample]:
    with closing(Snapshot(sound / "index")) as snapshot:
        encoder = snapshot.encoder_json
    rows = np.eye(3, _WORDS_DIM, dtype=np.float32)
    words = Words.of_classifier(["a", "b c", "\u00e9"], rows, np.zeros(3, np.float32), 2.0)
    settings = SearchSettings(candidates=3, recall=0.5).to_json()
    return [
        Sample.plain("encoder.json", encoder.encode()),
        Sample.plain("search.json", settings.encode()),
        Sample.plain("words", words.to_bytes()),
    ]


def _read_description(path: Path, sound: Path, number: int) -> None:
    if path.name == "words":
        Words.from_bytes(path.read_bytes(), _WORDS_DIM)
    elif path.name == "encoder.json":
        EncoderSpec.from_json(os.fsdecode(path.read_bytes()))
    else:
        SearchSettings.from_json(os.fsdecode(path.read_bytes()))


FORMATS: Final = (
    Format("npy", _npy_samples, _read_vectors),
    Format("npz", _npz_samples, _read_vectors),
    Format("parquet", _parquet_samples, _read_vectors),
    Format("ids", _id_samples, _read_ids),
    Format("list", _list_samples, _read_list),
    Format("tar", _tar_samples, _read_tar),
    Format("labels", _label_samples, _read_labels),
    Format("moved", _journal_samples, _read_journal),
    Format("hot journal", _hot_samples, _read_hot),
    Format("network", _network_samples, _read_network, (ValueError, RuntimeError, OSError)),
    Format("weights", _weight_samples, _read_weights),
    Format("description", _description_samples, _read_description, (VecsearchError, ValueError)),
)
