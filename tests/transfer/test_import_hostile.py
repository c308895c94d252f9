"""Files of vectors and ids that are made to do harm: each is refused in a line, unread."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from vecsearch import ImportOptions, SourceError, VecsearchError

VECTORS = np.random.RandomState(0).normal(size=(6, 4)).astype(np.float32)
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(target: Path, **arrays: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return target


def refused(*files: Path, **options: Any) -> str:
    """Import *files*; give the message of the refusal, which leaves nothing behind."""
    index = files[0].parent / "index"
    with pytest.raises(VecsearchError) as raised:
        vecsearch.import_vectors(*files, index=index, options=ImportOptions(**options))
    assert not index.exists()
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 6000
    return message


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", ">f8", "<f2", "|i1", ">u2"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_any_order_and_version_of_npy_is_read(
    order: Any, kind: str, version: tuple[int, int], tmp_path: Path
) -> None:
    values = np.asarray((VECTORS * 40).astype(kind), order=order)
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, values, version)
    assert vecsearch.import_vectors(tmp_path / "x.npy", index=tmp_path / "index").added == 6
    with vecsearch.open_index(tmp_path / "index") as index:
        expected = values.astype(np.float64)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(index.vectors()[1], expected, atol=2e-3)


def test_an_archive_of_zeros_is_not_unpacked(tmp_path: Path) -> None:
    zeros = npy(np.zeros((20 << 20, 1), np.float32))
    assert "83,886,208 bytes" in refused(zipped(tmp_path / "x.npz", vector=zeros))
    ids = npy(np.zeros(90 << 20, np.int8))
    assert "bytes" in refused(zipped(tmp_path / "y.npz", vector=npy(VECTORS), ids=ids))


def test_texts_that_are_no_unicode_are_no_ids(tmp_path: Path) -> None:
    ids = np.array([f"a{number}" for number in range(6)])
    ids.view(np.uint32)[1] = 0x110000
    np.save(tmp_path / "x.npy", VECTORS)
    np.save(tmp_path / "ids.npy", ids)
    np.save(tmp_path / "swapped.npy", ids.view(np.uint32).byteswap().view(">U2"))
    for name in ("ids.npy", "swapped.npy"):
        assert "not Unicode" in refused(tmp_path / "x.npy", ids=[tmp_path / name])
    assert "not Unicode" in refused(zipped(tmp_path / "x.npz", vector=npy(VECTORS), path=npy(ids)))


def test_an_id_has_an_end(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VECTORS)
    (tmp_path / "ids.txt").write_text("a\nb\nc\n" + "d" * (2 << 20) + "\ne\nf\n")
    message = refused(tmp_path / "x.npy", ids=[tmp_path / "ids.txt"])
    assert message.startswith(f"row 3 of {tmp_path / 'ids.txt'} has an id of 2,097,152 letters")


def test_names_of_columns_are_part_of_one_line(tmp_path: Path) -> None:
    names = [f"a\nb\u2028{number}" for number in range(9000)]
    parquet.write_table(pa.table({name: [1] for name in names}), tmp_path / "x.parquet")
    message = refused(tmp_path / "x.parquet")
    assert "a\\nb\\u20280, " in message
    assert message.endswith(" and 8,980 more")


def in_parquet(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path, compression="zstd")
    return path


def test_a_short_table_of_very_many_rows_is_not_read(tmp_path: Path) -> None:
    zeros = np.zeros(4 << 20, np.int32)
    lists = pa.ListArray.from_arrays(pa.array(np.append(zeros, 0)), pa.array([], pa.float32()))
    path = in_parquet(tmp_path / "x.parquet", id=zeros, vector=lists)
    assert path.stat().st_size < 1 << 16
    assert "tells of 4,194,304 rows" in refused(path)


def test_a_row_of_very_many_values_is_not_read(tmp_path: Path) -> None:
    values = pa.array(np.zeros(32 << 20, np.float32))
    path = in_parquet(
        tmp_path / "x.parquet", id=["a"], vector=pa.ListArray.from_arrays([0, len(values)], values)
    )
    assert path.stat().st_size < 1 << 16
    assert "tells of 134,217,728 bytes of vector.list.element" in refused(path)
    text = in_parquet(tmp_path / "y.parquet", id=["a" * (80 << 20)], vector=[[1.0]])
    assert "bytes of id" in refused(text)


def test_texts_that_are_no_utf_8_are_no_ids_and_no_vectors(tmp_path: Path) -> None:
    bad = pa.array([b"[1, 2]", b"[1, \xff]"]).view(pa.string())
    path = in_parquet(tmp_path / "x.parquet", id=bad, vector=[[1.0], [2.0]])
    assert "can't decode byte 0xff" in refused(path)
    path = in_parquet(tmp_path / "y.parquet", id=["a", "b"], vector=bad)
    report = vecsearch.import_vectors(path, index=tmp_path / "y")
    assert (report.added, report.skipped) == (1, 1)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_an_encrypted_table_is_named_so(plaintext_footer: bool, tmp_path: Path) -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    keys = {
        "__init__": lambda self, _: encryption.KmsClient.__init__(self),
        "wrap_key": lambda _, key, __: key.hex(),
    }
    factory = encryption.CryptoFactory(type("Keys", (encryption.KmsClient,), keys))
    config = encryption.EncryptionConfiguration(
        footer_key="f",
        column_keys={"c": ["vector.list.element", "path"]},
        plaintext_footer=plaintext_footer,
    )
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), config)
    table = pa.table({"path": list("abcdef"), "vector": VECTORS.tolist()})
    path = tmp_path / "x.parquet"
    with parquet.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    assert refused(path) == f"cannot read {path} (it is encrypted)"


def test_vectors_are_not_of_any_length(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        header = {"descr": "|i1", "fortran_order": False, "shape": (1, 80_000_000)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 80_000_000)
    assert "80,000,000 dimensions; an index has at most 67,108,864" in refused(tmp_path / "x.npy")


def test_a_long_reason_is_cut() -> None:
    assert len(str(SourceError("x" * 99_999))) < 6000
