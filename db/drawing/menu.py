"""The sample pictures: what stands where, on which table, and in what light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial as put

import numpy as np
from PIL import Image

from . import tables as on
from .brushes import Canvas, Spot, Texture
from .burger import burger, burger_above
from .donut import donut
from .finish import dapple, daylight, develop, window
from .pancakes import pancakes, pancakes_above
from .pizza import pizza
from .props import (
    basil,
    berry,
    board,
    chopsticks,
    crumbs,
    cup,
    dip,
    fork,
    fries,
    knife,
    lemon,
    napkin,
    parchment,
    parsley,
    plate,
    raspberry,
    round_board,
    slab_of_stone,
    strawberry,
)
from .salad import salad
from .sushi import ginger, gunkan, maki, nigiri, uramaki, wasabi


@dataclass(frozen=True)
class Picture:
    """One row of the menu; things are drawn in order, so the nearest come last."""

    size: tuple[int, int]
    table: Texture
    things: tuple[Callable[[Canvas], None], ...]
    sun: float = 225.0
    warmth: float = 0.5
    light: str = ""  # "", "dapple" or "window"


AT = Spot

MENU: dict[str, Picture] = {
    "burger1": Picture(
        (480, 360),
        on.OAK,
        (
            put(board, at=AT(240, 250, 165, -3, 0.62), grain=on.WALNUT),
            put(fries, at=AT(375, 235, 62), count=20),
            put(burger, at=AT(215, 268, 118), layers="lptcl"),
            put(crumbs, at=AT(330, 315, 60), count=16),
        ),
    ),
    "burger2": Picture(
        (400, 400),
        on.SLATE,
        (
            put(burger, at=AT(215, 352, 158), layers="lpcpct", bun="#c67b38"),
            put(parsley, at=AT(60, 350, 60), count=8),
        ),
        sun=315,
        warmth=0.2,
    ),
    "burger3": Picture(
        (512, 320),
        on.GINGHAM,
        (
            put(parchment, at=AT(190, 165, 170, -8)),
            put(burger_above, at=AT(165, 165, 100)),
            put(fries, at=AT(365, 150, 78, 20), count=26),
            put(dip, at=AT(440, 262, 36), sauce="#b92f1c"),
        ),
    ),
    "burger4": Picture(
        (480, 360),
        on.TEAL,
        (
            put(plate, at=AT(150, 280, 135, 0, 0.42)),
            put(burger, at=AT(150, 282, 88), layers="lpckt"),
            put(plate, at=AT(348, 270, 130, 0, 0.42)),
            put(burger, at=AT(348, 272, 84), layers="lopct", bun="#e0a355", seeds=False),
        ),
        sun=300,
        warmth=0.3,
    ),
    "burger5": Picture(
        (360, 480),
        on.WHITE_MARBLE,
        (
            put(round_board, at=AT(180, 355, 150, -60, 0.55)),
            put(crumbs, at=AT(180, 400, 160, 0, 0.4), count=16),
            put(burger, at=AT(180, 385, 125), layers="lpcpcpct"),
        ),
        light="dapple",
    ),
    "burger6": Picture(
        (480, 360),
        on.WALNUT,
        (
            put(plate, at=AT(285, 280, 180, 0, 0.42), color="#5b6d78"),
            put(burger, at=AT(285, 292, 112), layers="lpteo", bun="#5d4a40"),
            put(dip, at=AT(80, 90, 44, 0, 0.7), sauce="#f1d9a0"),
            put(fries, at=AT(90, 220, 66), count=18),
        ),
        sun=250,
        warmth=0.7,
    ),
    "burger_test": Picture(
        (480, 360),
        on.MUSTARD,
        (
            put(napkin, at=AT(300, 255, 165, 6, 0.6), cloth=on.DENIM),
            put(burger, at=AT(300, 295, 124), layers="lpcto", bun="#cf8840"),
            put(fries, at=AT(105, 285, 66), count=18),
        ),
        sun=215,
    ),
    "donut1": Picture(
        (480, 360),
        on.CORAL,
        (
            put(plate, at=AT(240, 180, 160)),
            put(donut, at=AT(240, 180, 118), icing="pink"),
            put(crumbs, at=AT(340, 290, 60), count=12),
        ),
    ),
    "donut2": Picture(
        (400, 400),
        on.WHITE_MARBLE,
        (
            put(donut, at=AT(110, 112, 84), icing="chocolate", top="nuts"),
            put(
                donut,
                at=AT(292, 108, 84),
                icing="vanilla",
                top="pearls",
                tones=("#e8a7b5", "#9cc7c0", "#d9b25e"),
            ),
            put(donut, at=AT(108, 294, 84), icing="mint", top="drizzle", tones=("#59321f",)),
            put(donut, at=AT(294, 292, 84), icing="strawberry", top="coconut"),
        ),
        light="window",
    ),
    "donut3": Picture(
        (480, 360),
        on.OAK,
        (
            put(parchment, at=AT(230, 190, 190, 12)),
            put(donut, at=AT(160, 150, 96), icing="chocolate", bitten=20),
            put(donut, at=AT(320, 235, 96), icing="caramel", top="drizzle", tones=("#f5e9d3",)),
            put(crumbs, at=AT(260, 140, 50), count=18),
        ),
        sun=300,
    ),
    "donut4": Picture(
        (512, 320),
        on.TEAL,
        (
            put(plate, at=AT(330, 160, 138), color="#f1d9b8"),
            put(donut, at=AT(330, 160, 98), icing="lemon", top="coconut"),
            put(cup, at=AT(110, 150, 54, 130)),
        ),
        sun=240,
        warmth=0.2,
    ),
    "donut5": Picture(
        (360, 480),
        on.LILAC,
        (
            put(
                donut,
                at=AT(180, 372, 132, 0, 0.6),
                icing="blueberry",
                top="pearls",
                tones=("#ffffff", "#f2c14b"),
            ),
            put(donut, at=AT(188, 292, 128, 0, 0.6), icing="chocolate"),
            put(
                donut, at=AT(174, 214, 128, 0, 0.6), icing="pink", top="drizzle", tones=("#fff5ee",)
            ),
            put(donut, at=AT(184, 138, 124, 0, 0.6), icing="mint", top="nuts"),
        ),
        sun=215,
    ),
    "donut6": Picture(
        (480, 360),
        on.BLUE_CHECK,
        (
            put(donut, at=AT(95, 90, 64), icing=""),
            put(donut, at=AT(245, 78, 62), icing="pink", top="coconut"),
            put(donut, at=AT(392, 98, 64), icing=""),
            put(donut, at=AT(152, 218, 64), icing="chocolate", top=""),
            put(donut, at=AT(308, 222, 64), icing=""),
            put(donut, at=AT(62, 338, 62), icing="caramel", top="nuts"),
            put(donut, at=AT(236, 352, 62), icing=""),
            put(donut, at=AT(420, 305, 64), icing="lemon"),
        ),
        light="dapple",
    ),
    "donut_test": Picture(
        (480, 360),
        on.MINT,
        (
            put(board, at=AT(270, 170, 150, -6)),
            put(donut, at=AT(215, 175, 102), icing="strawberry", top="sprinkles", bitten=-40),
            put(donut, at=AT(372, 190, 80), icing="vanilla", top="drizzle", tones=("#c67f35",)),
            put(raspberry, at=AT(90, 300, 16)),
            put(raspberry, at=AT(125, 318, 15)),
        ),
        sun=310,
    ),
    "pancakes1": Picture(
        (480, 360),
        on.BLUE_CHECK,
        (
            put(plate, at=AT(240, 240, 200, 0, 0.5)),
            put(pancakes, at=AT(240, 238, 136), count=5),
        ),
    ),
    "pancakes2": Picture(
        (400, 400),
        on.OAK,
        (
            put(plate, at=AT(200, 205, 175), color="#dfe5e2", band="#7f9fb0"),
            put(pancakes_above, at=AT(200, 205, 120), count=5),
            put(fork, at=AT(50, 330, 90, -60)),
        ),
        sun=300,
    ),
    "pancakes3": Picture(
        (360, 480),
        on.CREAM,
        (
            put(plate, at=AT(180, 345, 168, 0, 0.5), color="#a9c0b8"),
            put(pancakes, at=AT(180, 350, 120), count=8, top="berries"),
        ),
        light="dapple",
    ),
    "pancakes4": Picture(
        (480, 360),
        on.TILES,
        (
            put(plate, at=AT(255, 230, 190, 0, 0.55), color="#e3b29a"),
            put(pancakes, at=AT(255, 228, 130), count=3, top="banana"),
            put(cup, at=AT(70, 82, 42, 200, 0.8)),
        ),
        sun=215,
    ),
    "pancakes5": Picture(
        (512, 320),
        on.SAGE,
        (
            put(plate, at=AT(300, 165, 148), speckled=True),
            put(pancakes_above, at=AT(300, 165, 102), count=4, top="strawberries", syrup=""),
            put(fork, at=AT(80, 170, 105, -86)),
            put(knife, at=AT(120, 172, 105, -94)),
        ),
        light="window",
    ),
    "pancakes6": Picture(
        (480, 360),
        on.CORAL,
        (
            put(plate, at=AT(235, 262, 180, 0, 0.46), color="#39434f"),
            put(pancakes, at=AT(235, 262, 128), count=6, top="cream", syrup="#8f2740"),
            put(strawberry, at=AT(425, 310, 30, 200)),
            put(berry, at=AT(385, 330, 13)),
        ),
        sun=320,
    ),
    "pizza1": Picture(
        (480, 360),
        on.WALNUT,
        (
            put(round_board, at=AT(225, 180, 168, -20)),
            put(pizza, at=AT(225, 180, 148), toppings=("pepperoni", "basil")),
        ),
    ),
    "pizza2": Picture(
        (400, 400),
        on.SLATE,
        (
            put(
                pizza,
                at=AT(200, 200, 178),
                toppings=("mozzarella", "cherry", "basil"),
                cheese="#eebf62",
            ),
        ),
        sun=310,
        warmth=0.3,
    ),
    "pizza3": Picture(
        (512, 320),
        on.GINGHAM,
        (
            put(plate, at=AT(230, 175, 165)),
            put(
                pizza,
                at=AT(230, 175, 140),
                toppings=("mushrooms", "olives", "peppers"),
                missing=(-50, -5),
            ),
            put(
                pizza,
                at=AT(290, 148, 140),
                toppings=("mushrooms", "olives", "peppers"),
                only=(-50, -5),
                slices=0,
            ),
        ),
    ),
    "pizza4": Picture(
        (480, 360),
        on.WHITE_MARBLE,
        (
            put(pizza, at=AT(330, 250, 235), toppings=("ham", "mushrooms", "basil")),
            put(basil, at=AT(60, 70, 34)),
        ),
        light="dapple",
    ),
    "pizza5": Picture(
        (360, 480),
        on.OAK,
        (
            put(board, at=AT(180, 245, 175, 90), grain=on.WALNUT),
            put(
                pizza,
                at=AT(180, 440, 400),
                toppings=("pepperoni", "olives", "onions"),
                only=(-112, -68),
                slices=0,
            ),
            put(parsley, at=AT(180, 240, 150), count=12),
        ),
        sun=230,
    ),
    "pizza6": Picture(
        (480, 360),
        on.MUSTARD,
        (
            put(plate, at=AT(165, 170, 150), color="#39434f"),
            put(
                pizza,
                at=AT(165, 170, 130),
                toppings=("onions", "olives", "cherry", "rocket"),
                missing=(20, 65),
            ),
            put(plate, at=AT(395, 275, 96), color="#39434f"),
            put(
                pizza,
                at=AT(350, 320, 130),
                toppings=("onions", "cherry", "rocket"),
                only=(-70, -25),
                slices=0,
            ),
        ),
        sun=250,
    ),
    "salad1": Picture(
        (480, 360),
        on.CREAM,
        (
            put(
                salad,
                at=AT(240, 180, 160),
                extras=(("cucumber", 6), ("onion", 4), ("tomato", 8), ("feta", 10)),
            ),
            put(fork, at=AT(440, 200, 105, -85)),
        ),
    ),
    "salad2": Picture(
        (400, 400),
        on.TEAL,
        (
            put(
                salad,
                at=AT(200, 205, 172),
                greens=("spinach", "rocket"),
                extras=(("avocado", 5), ("egg", 4), ("corn", 6), ("seeds", 6)),
                bowl="#e9c59a",
            ),
        ),
        sun=300,
    ),
    "salad3": Picture(
        (512, 320),
        on.DRIFT,
        (
            put(napkin, at=AT(100, 180, 100, -15), cloth=on.ROSE),
            put(
                salad,
                at=AT(290, 160, 146),
                greens=("lettuce",),
                extras=(("crouton", 14), ("egg", 3), ("feta", 6)),
                bowl="#8a5a34",
            ),
        ),
        light="window",
    ),
    "salad4": Picture(
        (480, 360),
        on.TILES,
        (
            put(
                salad,
                at=AT(150, 175, 132),
                greens=("radicchio", "lettuce", "rocket"),
                extras=(("radish", 10), ("carrot", 6), ("seeds", 6)),
                bowl="#43656b",
            ),
            put(lemon, at=AT(345, 95, 40)),
            put(lemon, at=AT(405, 130, 38)),
            put(dip, at=AT(370, 260, 54), sauce="#d8c25c"),
        ),
    ),
    "salad5": Picture(
        (360, 480),
        on.CORAL,
        (
            put(
                salad,
                at=AT(180, 250, 158),
                greens=("spinach", "radicchio"),
                extras=(("cucumber", 7), ("olive", 9), ("tomato", 6), ("feta", 12)),
                bowl="#f2ede4",
            ),
            put(fork, at=AT(290, 440, 80, -150)),
        ),
        light="dapple",
    ),
    "salad6": Picture(
        (480, 360),
        on.WALNUT,
        (
            put(
                salad,
                at=AT(300, 210, 205),
                greens=("rocket", "lettuce"),
                extras=(("avocado", 4), ("carrot", 6), ("radish", 8), ("corn", 6), ("tomato", 5)),
                bowl="#2f3b40",
            ),
            put(lemon, at=AT(60, 80, 38), color="#a8c64a"),
        ),
        sun=315,
    ),
    "sushi1": Picture(
        (480, 360),
        on.OAK,
        (
            put(slab_of_stone, at=AT(240, 180, 172), texture=on.SLATE),
            *(
                put(nigiri, at=AT(95 + 118 * i, 148, 82, 68), fish=f)
                for i, f in enumerate(("salmon", "tuna", "shrimp"))
            ),
            put(wasabi, at=AT(412, 110, 20)),
            put(ginger, at=AT(410, 185, 28)),
            put(chopsticks, at=AT(240, 282, 180, -4), color="#a8623a"),
        ),
    ),
    "sushi2": Picture(
        (400, 400),
        on.SLATE,
        (
            *(
                put(maki, at=AT(82 + 118 * (i % 3), 80 + 118 * (i // 3), 52), filling=f)
                for i, f in enumerate(
                    (
                        "salmon",
                        "cucumber",
                        "tuna",
                        "avocado",
                        "salmon",
                        "egg",
                        "cucumber",
                        "tuna",
                        "salmon",
                    )
                )
            ),
        ),
        sun=310,
    ),
    "sushi3": Picture(
        (512, 320),
        on.BLUE_TILES,
        (
            put(plate, at=AT(215, 160, 150), color="#efe9dd"),
            *(
                put(uramaki, at=AT(x, y, 42), coat="roe")
                for x, y in ((150, 95), (245, 85), (118, 185), (212, 172), (300, 150), (195, 258))
            ),
            put(ginger, at=AT(290, 235, 30)),
            put(dip, at=AT(435, 85, 50), sauce="#2b1712"),
            put(chopsticks, at=AT(430, 220, 130, -70), color="#c9a06a"),
        ),
    ),
    "sushi4": Picture(
        (480, 360),
        on.SAND,
        (
            put(board, at=AT(235, 185, 168, -10), grain=on.WALNUT),
            *(
                put(nigiri, at=AT(88 + 74 * i, 208 - 13 * i, 78, 80), fish="salmon")
                for i in range(5)
            ),
            put(ginger, at=AT(425, 60, 30)),
        ),
        light="window",
    ),
    "sushi5": Picture(
        (360, 480),
        on.WHITE_MARBLE,
        (
            put(slab_of_stone, at=AT(180, 240, 170, 90), texture=on.SLATE, rx=1.25, ry=0.8),
            *(put(gunkan, at=AT(115, 110 + 105 * i, 50, -8)) for i in range(3)),
            *(
                put(maki, at=AT(240, 105 + 92 * i, 40), filling=f)
                for i, f in enumerate(("tuna", "avocado", "tuna", "avocado"))
            ),
            put(wasabi, at=AT(115, 405, 20)),
        ),
    ),
    "sushi6": Picture(
        (480, 360),
        on.GREEN_MARBLE,
        (
            put(plate, at=AT(220, 180, 168), color="#e6dccb"),
            put(nigiri, at=AT(142, 125, 66, 30), fish="egg"),
            put(nigiri, at=AT(258, 92, 66, 30), fish="eel", band=True),
            put(nigiri, at=AT(165, 232, 66, 30), fish="tuna"),
            put(gunkan, at=AT(310, 178, 48)),
            put(uramaki, at=AT(268, 266, 42), coat="chives"),
            put(chopsticks, at=AT(425, 190, 150, 100)),
        ),
        sun=250,
    ),
    "sushi_test": Picture(
        (480, 360),
        on.CORAL,
        (
            put(board, at=AT(200, 175, 145, 8), grain=on.WHITEWASH),
            put(nigiri, at=AT(85, 140, 72, 60), fish="salmon"),
            put(nigiri, at=AT(175, 155, 72, 60), fish="hamachi", band=True),
            put(maki, at=AT(285, 120, 46), filling="cucumber"),
            put(maki, at=AT(290, 232, 46), filling="salmon"),
            put(dip, at=AT(425, 280, 48), sauce="#2b1712"),
            put(chopsticks, at=AT(425, 130, 130, -75), color="#262626"),
        ),
        sun=215,
    ),
}


def paint(picture: Picture, seed: int) -> Image.Image:
    """Paint one row of the menu."""
    canvas = Canvas(*picture.size, rng=np.random.default_rng(seed), sun=picture.sun)
    canvas.fill(picture.table)
    for thing in picture.things:
        thing(canvas)
    if picture.light == "dapple":
        dapple(canvas)
    elif picture.light == "window":
        window(canvas)
    daylight(canvas)
    return develop(canvas, picture.warmth)
