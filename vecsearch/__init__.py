"""Find similar images in your own collection, by transfer learning.

Names are imported when they are first used, so that ``import vecsearch`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes 8 ms to import
if TYPE_CHECKING:
    from typing import Final

    from vecsearch.building.budget import PlannedBases, PlanOptions
    from vecsearch.building.compact import CompactReport, compact
    from vecsearch.building.forecast import PlanReport, plan
    from vecsearch.building.importing import ImportReport, import_vectors
    from vecsearch.building.inputs import ImportOptions
    from vecsearch.building.merge import MergeReport, merge
    from vecsearch.building.options import BuildOptions
    from vecsearch.building.reindex import TunedBase, TuneReport, reindex, tune
    from vecsearch.building.relocate import RelocateReport, relocate
    from vecsearch.building.remove import RemoveReport, remove
    from vecsearch.building.repair import RepairReport, repair
    from vecsearch.building.run import BuildReport, build
    from vecsearch.building.verify import VerifyReport, verify
    from vecsearch.copies.aside import (
        AsideReport,
        BackReport,
        Left,
        MovedFile,
        move_aside,
        move_back,
    )
    from vecsearch.copies.find import duplicates
    from vecsearch.copies.not_copies import NotCopiesReport, not_copies
    from vecsearch.copies.report import DuplicateCopy, DuplicateGroup, DuplicatesReport
    from vecsearch.embed.encoder import EncoderConfig
    from vecsearch.errors import (
        EncoderMismatchError,
        ImageError,
        IndexDamagedError,
        IndexFolderError,
        IndexFormatError,
        IndexLockedError,
        IndexOutdatedError,
        NotFetchedError,
        NotFoundError,
        SourceError,
        UsageError,
        VecsearchError,
        WeightsError,
    )
    from vecsearch.evaluation.classes import ClassQuality, LabelShare
    from vecsearch.evaluation.quality import evaluate_labels
    from vecsearch.evaluation.report import FiguresAtK, MeanFigure, QualityReport
    from vecsearch.layout.collection import CollectionMap, MapOptions, map_collection
    from vecsearch.search.copy_hits import CopyReport, LeftHit, PlacedHit
    from vecsearch.search.evaluate import EvaluateReport, evaluate
    from vecsearch.search.export import ExportReport, export_vectors
    from vecsearch.search.index import Index, open_index
    from vecsearch.search.info import IndexInfo, PictureInfo
    from vecsearch.search.listing import ListOptions
    from vecsearch.search.options import ImageFilter, QueryOptions
    from vecsearch.types import (
        Asked,
        Guess,
        Hit,
        Image,
        JudgedQuery,
        ListedImage,
        Result,
        Skipped,
        Word,
        WordCount,
    )
    from vecsearch.view.map import draw_map
    from vecsearch.view.opener import open_hits

__all__ = [
    "AsideReport",
    "Asked",
    "BackReport",
    "BuildOptions",
    "BuildReport",
    "ClassQuality",
    "CollectionMap",
    "CompactReport",
    "CopyReport",
    "DuplicateCopy",
    "DuplicateGroup",
    "DuplicatesReport",
    "EncoderConfig",
    "EncoderMismatchError",
    "EvaluateReport",
    "ExportReport",
    "FiguresAtK",
    "Guess",
    "Hit",
    "Image",
    "ImageError",
    "ImageFilter",
    "ImportOptions",
    "ImportReport",
    "Index",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexFormatError",
    "IndexInfo",
    "IndexLockedError",
    "IndexOutdatedError",
    "JudgedQuery",
    "LabelShare",
    "Left",
    "LeftHit",
    "ListOptions",
    "ListedImage",
    "MapOptions",
    "MeanFigure",
    "MergeReport",
    "MovedFile",
    "NotCopiesReport",
    "NotFetchedError",
    "NotFoundError",
    "PictureInfo",
    "PlacedHit",
    "PlanOptions",
    "PlanReport",
    "PlannedBases",
    "QualityReport",
    "QueryOptions",
    "RelocateReport",
    "RemoveReport",
    "RepairReport",
    "Result",
    "Skipped",
    "SourceError",
    "TuneReport",
    "TunedBase",
    "UsageError",
    "VecsearchError",
    "VerifyReport",
    "WeightsError",
    "Word",
    "WordCount",
    "build",
    "compact",
    "draw_map",
    "duplicates",
    "evaluate",
    "evaluate_labels",
    "export_vectors",
    "import_vectors",
    "map_collection",
    "merge",
    "move_aside",
    "move_back",
    "not_copies",
    "open_hits",
    "open_index",
    "plan",
    "reindex",
    "relocate",
    "remove",
    "repair",
    "tune",
    "verify",
]

_HOMES: Final = {
    "AsideReport": "copies.aside",
    "Asked": "types",
    "BackReport": "copies.aside",
    "BuildOptions": "building.options",
    "BuildReport": "building.run",
    "ClassQuality": "evaluation.classes",
    "CollectionMap": "layout.collection",
    "CompactReport": "building.compact",
    "CopyReport": "search.copy_hits",
    "DuplicateCopy": "copies.report",
    "DuplicateGroup": "copies.report",
    "DuplicatesReport": "copies.report",
    "EncoderConfig": "embed.encoder",
    "EvaluateReport": "search.evaluate",
    "ExportReport": "search.export",
    "FiguresAtK": "evaluation.report",
    "Guess": "types",
    "Hit": "types",
    "Image": "types",
    "ImageFilter": "search.options",
    "ImportOptions": "building.inputs",
    "ImportReport": "building.importing",
    "Index": "search.index",
    "IndexInfo": "search.info",
    "JudgedQuery": "types",
    "LabelShare": "evaluation.classes",
    "Left": "copies.aside",
    "LeftHit": "search.copy_hits",
    "ListOptions": "search.listing",
    "ListedImage": "types",
    "MapOptions": "layout.collection",
    "MeanFigure": "evaluation.report",
    "MergeReport": "building.merge",
    "MovedFile": "copies.aside",
    "NotCopiesReport": "copies.not_copies",
    "PictureInfo": "search.info",
    "PlacedHit": "search.copy_hits",
    "PlanOptions": "building.budget",
    "PlanReport": "building.forecast",
    "PlannedBases": "building.budget",
    "QualityReport": "evaluation.report",
    "QueryOptions": "search.options",
    "RelocateReport": "building.relocate",
    "RemoveReport": "building.remove",
    "RepairReport": "building.repair",
    "Result": "types",
    "Skipped": "types",
    "TuneReport": "building.reindex",
    "TunedBase": "building.reindex",
    "VerifyReport": "building.verify",
    "Word": "types",
    "WordCount": "types",
    "build": "building.run",
    "compact": "building.compact",
    "draw_map": "view.map",
    "duplicates": "copies.find",
    "evaluate": "search.evaluate",
    "evaluate_labels": "evaluation.quality",
    "export_vectors": "search.export",
    "import_vectors": "building.importing",
    "map_collection": "layout.collection",
    "merge": "building.merge",
    "move_aside": "copies.aside",
    "move_back": "copies.aside",
    "not_copies": "copies.not_copies",
    "open_hits": "view.opener",
    "open_index": "search.index",
    "plan": "building.forecast",
    "reindex": "building.reindex",
    "relocate": "building.relocate",
    "remove": "building.remove",
    "repair": "building.repair",
    "tune": "building.reindex",
    "verify": "building.verify",
}


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return [*__all__, "__version__"]


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("vecsearch")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name, "errors")
    return getattr(import_module(f"{__name__}.{home}"), name)
