// The map: view, pointer and keys, the picture that is chosen, search, lasso.
"use strict";

const $ = (id) => document.getElementById(id);
const floats = (text) => new Float32Array(decodeBase64(text).buffer);
const count = DATA.paths.length;
const points = new Points(
  [floats(DATA.x), floats(DATA.y)],
  [floats(DATA.packed_x), floats(DATA.packed_y)],
  new Int8Array(decodeBase64(DATA.labels).buffer),
  new Int32Array(decodeBase64(DATA.sprites.of).buffer),
);
const parts = decodeBase64(DATA.parts); // of each path, its name among all has
const near = new Uint32Array(decodeBase64(DATA.near).buffer);
const scores = new Uint16Array(decodeBase64(DATA.scores).buffer);
const nearCount = count ? near.length / count : 0;
const tiles = new Tiles(points);
const whole = { left: points.left, right: points.right, top: points.top, bottom: points.bottom };

const stage = $("stage");
const map = $("map");
const over = $("over");
const view = { scale: 1, x: 0, y: 0 };
const state = { hover: -1, chosen: -1, matches: null, lassoing: false, lasso: null };
const selection = new Set();
let width = 0;
let height = 0;
let ratio = 1;
let wanted = false;
let frames = 0;
let flight = null;

function redraw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame((now) => {
    wanted = false;
    if (flight) advance(now);
    const gathering = !flight && gather(now);
    const missing = tiles.draw(map.getContext("2d", { alpha: false }), view, ratio, map.width, map.height);
    drawOver();
    frames++;
    if (missing || flight || gathering) redraw();
  });
}

// --- where the map is ---

function fitted() {
  const wide = whole.right - whole.left + 1.6;
  const high = whole.bottom - whole.top + 1.6;
  const scale = Math.min(width / wide, height / high, 220);
  return {
    scale,
    x: (whole.left + whole.right) / 2 - width / 2 / scale,
    y: (whole.top + whole.bottom) / 2 - height / 2 / scale,
  };
}

// Whether pictures are drawn together to a grid at a scale: 0 or 1. On the whole map gaps tell crowds
// apart; whoever zooms in until pictures are large wants to see pictures, so the gaps close.
const TOGETHER = 40; // pixels for a picture
function together(scale, now = points.part) {
  if (DATA.largest < 100 || count < 2) return 0;
  const limit = Math.max(1.5 * fitted().scale, TOGETHER);
  return scale > (now > 0.5 ? limit / 1.15 : limit) ? 1 : 0;
}

// Moves the pictures a step of their way. The one under the pointer stays where it is.
const GATHERING = 260; // ms
let anchor = -1;
let stepped = 0;
function gather(now) {
  const target = together(view.scale);
  if (target === points.part) return (stepped = 0), false;
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const step = calm ? 1 : stepped ? (now - stepped) / GATHERING : 0.06;
  stepped = now;
  if (anchor < 0) anchor = nearestToMiddle();
  drawTo(target > points.part ? Math.min(1, points.part + step) : Math.max(0, points.part - step));
  return points.part !== target;
}

function drawTo(part) {
  const [fromX, fromY] = points.at(anchor, points.part);
  points.draw(part);
  const [toX, toY] = points.at(anchor, part);
  view.x += toX - fromX;
  view.y += toY - fromY;
}

const squareNow = () => Math.min(view.scale * FILLED, DATA.largest);
const limits = () => {
  const { scale } = fitted();
  return [scale * 0.5, DATA.largest < 100 ? scale * 1000 : Math.max(320, scale)];
};

// What was in the middle stays there, and the map shrinks or grows by as much as its room does.
function resize() {
  const first = !(width > 0 && height > 0);
  const before = first ? null : { fit: fitted().scale, middle: toMap(width / 2, height / 2), fitted: isFitted() };
  width = stage.clientWidth;
  height = stage.clientHeight;
  ratio = Math.min(3, window.devicePixelRatio || 1);
  for (const canvas of [map, over]) {
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
  }
  if (height > 0) {
    if (first || before.fitted) {
      Object.assign(view, fitted());
    } else {
      const scale = (view.scale * fitted().scale) / before.fit;
      const [x, y] = before.middle;
      Object.assign(view, { scale, x: x - width / 2 / scale, y: y - height / 2 / scale });
    }
    flight = null;
  }
  redraw();
}

function isFitted() {
  const { scale, x, y } = fitted();
  const away = Math.hypot(view.x - x, view.y - y) * scale;
  return Math.abs(view.scale / scale - 1) < 1e-3 && away < 1;
}

const toMap = (x, y) => [view.x + x / view.scale, view.y + y / view.scale];
const toScreen = (x, y) => [(x - view.x) * view.scale, (y - view.y) * view.scale];

function nearestTo(x, y) {
  for (let reach = 1; reach < 1e7; reach *= 4) {
    const found = points.nearest(x, y, reach);
    if (found >= 0) return found;
  }
  return -1;
}

function zoom(factor, x = width / 2, y = height / 2) {
  const [least, most] = limits();
  const scale = Math.max(least, Math.min(most, view.scale * factor));
  const [mapX, mapY] = toMap(x, y);
  if (together(scale) !== points.part) anchor = nearestTo(mapX, mapY);
  Object.assign(view, { scale, x: mapX - x / scale, y: mapY - y / scale });
  redraw();
}

function fly(target) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const parts = [points.part, together(target.scale)];
  flight = { from: { ...view }, to: target, parts, start: performance.now(), time: still ? 0 : 350 };
  redraw();
}

function advance(now) {
  const { from, to, parts, start, time } = flight;
  const part = time ? Math.max(0, Math.min(1, (now - start) / time)) : 1;
  const eased = part * part * (3 - 2 * part);
  const scale = from.scale * (to.scale / from.scale) ** eased;
  const middle = (one, axis, room) => one[axis] + room / 2 / one.scale;
  const between = (axis, room) =>
    middle(from, axis, room) * (1 - eased) + middle(to, axis, room) * eased - room / 2 / scale;
  Object.assign(view, { scale, x: between("x", width), y: between("y", height) });
  points.draw(part === 1 ? parts[1] : parts[0] * (1 - eased) + parts[1] * eased);
  if (part === 1) flight = null;
}

function flyTo(i, scale = view.scale) {
  const [x, y] = points.at(i, together(scale));
  fly({ scale, x: x - width / 2 / scale, y: y - height / 2 / scale });
}

function flyToAll(members) {
  // Where they are depends on the scale, and the scale on where they are.
  let scale = view.scale;
  let middle = [0, 0];
  for (let round = 0; round < 2; round++) {
    const places = members.map((i) => points.at(i, together(scale)));
    const edges = [0, 1].map((axis) =>
      places.reduce(([a, b], place) => [Math.min(a, place[axis]), Math.max(b, place[axis])], [Infinity, -Infinity]),
    );
    const sides = edges.map(([a, b]) => b - a + 3);
    const wanted = Math.max(limits()[0], Math.min(120, width / sides[0], height / sides[1]));
    scale = wanted;
  }
  const places = members.map((i) => points.at(i, together(scale)));
  middle = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
  fly({ scale, x: middle[0] - width / 2 / scale, y: middle[1] - height / 2 / scale });
}

// --- what is drawn over the ground ---

function frame(context, i, colour, wide) {
  const [x, y] = toScreen(points.x[i], points.y[i]);
  const sprite = points.sprites[i];
  const square = Math.max(8, squareNow());
  const side = (lengths) => (sprite < 0 ? square : (lengths[sprite] * square) / Sprites.side);
  const [w, h] = [side(Sprites.widths) + 2 * wide, side(Sprites.heights) + 2 * wide];
  context.strokeStyle = colour;
  context.lineWidth = wide;
  context.strokeRect(x - w / 2, y - h / 2, w, h);
}

// What is selected: framed where pictures are large, tinted where frames would hide them.
function mark(context, i, colour) {
  if (squareNow() > 16) return frame(context, i, colour, 2);
  const [x, y] = toScreen(points.x[i], points.y[i]);
  const square = Math.max(2, squareNow());
  context.globalAlpha = 0.55;
  context.fillStyle = colour;
  context.fillRect(x - square / 2, y - square / 2, square, square);
  context.globalAlpha = 1;
}

function drawOver() {
  const context = over.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const accent = style.getPropertyValue("--accent");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (state.matches) {
    context.globalAlpha = 0.8;
    context.fillStyle = style.getPropertyValue("--ground");
    context.fillRect(0, 0, width, height);
    context.globalAlpha = 1;
    const [left, top] = toMap(0, 0);
    const [right, bottom] = toMap(width, height);
    for (const i of points.within(left - 1, top - 1, right + 1, bottom + 1)) {
      if (!state.matches.has(i)) continue;
      const [x, y] = toScreen(points.x[i], points.y[i]);
      tiles.drawPoint(context, i, x, y, Math.max(5, squareNow()));
    }
  }
  for (const i of selection) mark(context, i, accent);
  if (state.chosen >= 0) {
    const [x, y] = toScreen(points.x[state.chosen], points.y[state.chosen]);
    context.strokeStyle = accent;
    for (const [other] of neighbours(state.chosen)) {
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(...toScreen(points.x[other], points.y[other]));
      context.stroke();
      frame(context, other, accent, 1.5);
    }
    const square = Math.max(28, squareNow());
    if (points.sprites[state.chosen] >= 0) Sprites.draw(context, points.sprites[state.chosen], x, y, square);
    frame(context, state.chosen, accent, 3);
  }
  if (state.hover >= 0) frame(context, state.hover, accent, 2);
  drawNames(context, style);
  if (state.lasso) {
    context.beginPath();
    for (const [x, y] of state.lasso) context.lineTo(x, y);
    context.closePath();
    context.strokeStyle = accent;
    context.lineWidth = 1.5;
    context.stroke();
    context.globalAlpha = 0.12;
    context.fillStyle = accent;
    context.fill();
    context.globalAlpha = 1;
  }
}

// A name stands in free room beside its crowd, with a line to it where it must stand off; where there
// is no room, it is left out: the legend has it. Larger crowds choose first.
function drawNames(context) {
  if (DATA.color !== "cluster" || view.scale > 260) return;
  context.font = "600 13px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const taken = takenCells();
  const members = membersInView();
  const found = [];
  drawn = [];
  DATA.groups.forEach((group, number) => {
    if (!group.named || !members[number].length) return;
    const half = context.measureText(group.name).width / 2 + 9;
    const place = freeRoom(taken, members[number], half, 12);
    const leader = place && leaderOf(place, half, members[number]);
    if (!leader || !isClear(taken, leader)) return;
    taken.fill(place[0] - half, place[1] - 12, place[0] + half, place[1] + 12);
    found.push([group, place, half]);
    drawn.push({ name: group.name, left: place[0] - half, top: place[1] - 11, right: place[0] + half, bottom: place[1] + 11 });
    if (leader.away > squareNow() / 2 + 16) drawLeader(context, group, leader);
  });
  for (const [group, [x, y], half] of found) {
    const [fill, letters] = group[themeName()];
    context.fillStyle = fill;
    context.beginPath();
    context.roundRect(x - half, y - 11, 2 * half, 22, 11);
    context.fill();
    context.fillStyle = letters;
    context.fillText(group.name, x, y + 0.5);
  }
}

let drawn = []; // the names that are seen, in pixels
const themeName = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
const CELL = 6; // pixels

// Which cells of the stage are taken by pictures; counted so that a rectangle is asked at once.
function takenCells() {
  const columns = Math.ceil(width / CELL);
  const rows = Math.ceil(height / CELL);
  const cells = new Uint8Array(columns * rows);
  const grid = {
    columns,
    rows,
    fill(x0, y0, x1, y1) {
      const [left, right] = [Math.max(0, Math.floor(x0 / CELL)), Math.min(columns - 1, Math.floor(x1 / CELL))];
      const [top, bottom] = [Math.max(0, Math.floor(y0 / CELL)), Math.min(rows - 1, Math.floor(y1 / CELL))];
      for (let row = top; row <= bottom; row++) cells.fill(1, row * columns + left, row * columns + Math.max(left, right + 1));
    },
    free(x0, y0, x1, y1) {
      if (x0 < 0 || y0 < 0 || x1 >= width || y1 >= height) return false;
      for (let row = Math.floor(y0 / CELL); row <= Math.floor(y1 / CELL); row++) {
        for (let column = Math.floor(x0 / CELL); column <= Math.floor(x1 / CELL); column++) {
          if (cells[row * columns + column]) return false;
        }
      }
      return true;
    },
  };
  const square = squareNow();
  const [left, top] = toMap(0, 0);
  const [right, bottom] = toMap(width, height);
  for (const i of points.within(left - 1, top - 1, right + 1, bottom + 1)) {
    const [x, y] = toScreen(points.x[i], points.y[i]);
    const sprite = points.sprites[i];
    const share = (lengths) => (sprite < 0 ? 2 : (lengths[sprite] * square) / Sprites.side / 2 + borderOf(square) + 1);
    grid.fill(x - share(Sprites.widths), y - share(Sprites.heights), x + share(Sprites.widths), y + share(Sprites.heights));
  }
  return grid;
}

function membersInView() {
  const members = DATA.groups.map(() => []);
  const [left, top] = toMap(0, 0);
  const [right, bottom] = toMap(width, height);
  for (const i of points.within(left, top, right, bottom)) {
    if (points.labels[i] >= 0) members[points.labels[i]].push(i);
  }
  return members;
}

function freeRoom(taken, members, half, high) {
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const [x, y] = toScreen(middle(members.map((i) => points.x[i])), middle(members.map((i) => points.y[i])));
  const spread = Math.max(...members.slice(0, 300).map((i) => Math.hypot(...toScreen(points.x[i], points.y[i]).map((v, axis) => v - [x, y][axis]))));
  const most = Math.min(spread, 220) + 90;
  let best = null;
  let least = Infinity;
  for (let dy = -most; dy <= most; dy += CELL) {
    for (let dx = -most; dx <= most; dx += 2 * CELL) {
      const away = Math.hypot(dx, 1.5 * dy) + (dy > 0 ? 8 : 0);
      if (away < least && away <= 1.5 * most && taken.free(x + dx - half, y + dy - high, x + dx + half, y + dy + high)) {
        [best, least] = [[x + dx, y + dy], away];
      }
    }
  }
  return best;
}

// The line from a name to the nearest picture of its crowd.
function leaderOf([x, y], half, members) {
  let best = { away: Infinity };
  for (const i of members) {
    const [toX, toY] = toScreen(points.x[i], points.y[i]);
    const edge = Math.max(x - half, Math.min(x + half, toX));
    const away = Math.hypot(toX - edge, toY - y);
    if (away < best.away) best = { away, from: [edge, y], to: [toX, toY] };
  }
  return best;
}

// Whether it crosses no picture on its way, nor another name.
function isClear(taken, { away, from, to }) {
  const end = away - 0.75 * squareNow() - CELL;
  for (let at = CELL; at < end; at += CELL / 2) {
    const [x, y] = [0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * at) / away);
    if (!taken.free(x, y, x, y)) return false;
  }
  return true;
}

function drawLeader(context, group, { from, to }) {
  context.strokeStyle = group[themeName()][0];
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

// --- pictures ---

function* neighbours(i) {
  for (let at = i * nearCount; at < (i + 1) * nearCount; at++) {
    if (near[at] < count) yield [near[at], (scores[at] / 65535) * 2 - 1];
  }
}

function picture(i, square) {
  if (points.sprites[i] >= 0) return Sprites.canvas(points.sprites[i], square, Pictures.name(i));
  return element("span", { className: "soft", textContent: "▫" });
}

// A server has more of a picture than its small thumbnail, which is shown where that cannot be had.
function fetched(i, square) {
  const sprite = points.sprites[i];
  const image = element("img", { src: Server.image(i, "thumbnail?size=medium"), alt: Pictures.name(i) });
  const side = (lengths) => (sprite < 0 ? square : Math.max(1, Math.round((lengths[sprite] * square) / Sprites.side)));
  [image.width, image.height] = [side(Sprites.widths), side(Sprites.heights)];
  image.addEventListener("error", () => {
    const small = picture(i, square);
    small.classList.add("big");
    image.replaceWith(small);
  });
  return image;
}

function say(text) {
  $("status").textContent = text;
}

function choose(i, move = false) {
  state.chosen = i;
  map.dataset.chosen = i;
  showPanel();
  if (i >= 0) {
    const group = DATA.groups[points.labels[i]];
    say(`${Pictures.name(i)}${group ? ", " + group.name : ""}`);
    const [x, y] = toScreen(points.x[i], points.y[i]);
    if (move || x < 30 || y < 30 || x > width - 30 || y > height - 30) flyTo(i);
  }
  redraw();
}

function showPanel() {
  const panel = $("panel");
  const before = panel.hidden;
  panel.replaceChildren();
  panel.hidden = state.chosen < 0 && !selection.size;
  if (selection.size) panel.append(...selected());
  if (state.chosen >= 0) panel.append(...details(state.chosen));
  if (before !== panel.hidden) resize();
}

// With as many folders as tell it apart from all others.
function nameAmongAll(i) {
  return Pictures.path(i).split("/").slice(-parts[i]).join("/");
}

function details(i) {
  const big = Server ? fetched(i, 272) : picture(i, 272);
  big.classList.add("big");
  const copy = element("button", { textContent: "Copy path", onclick: () => copyPaths([i]) });
  const links = linksOf(i);
  const actions = element("div", { className: "actions" }, copy, ...links);
  if (Server) actions.prepend(links[0]); // what most come here for
  const list = element("ol", { id: "neighbours" });
  let rank = 0;
  for (const [other, score] of neighbours(i)) {
    const button = element("button", { title: Pictures.path(other), onclick: () => choose(other, true) });
    const name = element("span", { textContent: `${++rank}  ${nameAmongAll(other)}` });
    button.append(picture(other, 44), name, element("small", { className: "soft", textContent: score.toFixed(3) }));
    list.append(element("li", {}, button));
  }
  return [
    big,
    element("h2", { textContent: Pictures.name(i) }),
    element("div", { className: "soft path", textContent: Pictures.folder(i) }),
    element("div", { className: "soft words", textContent: Words.text(i) }),
    actions,
    element("h3", { textContent: "Nearest" }),
    list,
  ];
}

function selected() {
  const members = [...selection];
  const copy = element("button", { id: "copy", textContent: "Copy paths", onclick: () => copyPaths(members) });
  const clear = element("button", { textContent: "Clear", onclick: () => select([]) });
  const save = element("button", { textContent: "Save list", onclick: () => saveList(members) });
  const grid = element("div", { className: "grid" });
  for (const i of members.slice(0, 200)) {
    const one = element("button", { title: Pictures.path(i), onclick: () => choose(i, true) });
    one.append(picture(i, 56));
    grid.append(one);
  }
  const title = members.length === 1 ? "1 picture selected" : `${members.length.toLocaleString("en")} pictures selected`;
  const more = members.length > 200 ? [element("div", { className: "soft", textContent: "the first 200 are shown" })] : [];
  return [element("h2", { id: "selected", textContent: title }), element("div", { className: "actions" }, copy, save, clear), grid, ...more];
}

function select(members) {
  selection.clear();
  for (const i of members) selection.add(i);
  say(members.length ? `${members.length} pictures selected` : "nothing selected");
  showPanel();
  redraw();
}

const pathsOf = (members) => members.map(Pictures.path).join("\n");

function copyPaths(members) {
  if (members.length) copyText(pathsOf(members), () => say(`${members.length} paths copied`));
}

const saveList = (members) => saveText(pathsOf(members) + "\n", "pictures.txt");

// --- search ---

const LIKELY = 20; // per cent: words that the search finds a picture by
const names = DATA.paths.map((path, i) => {
  const likely = Words.of(i).filter(([, share]) => share === null || share >= LIKELY);
  return [path, ...likely.map(([name]) => name)].join("\n").toLowerCase();
});
let visit = -1;

function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  visit = -1;
  if (!words.length) {
    state.matches = null;
    $("found").textContent = "";
  } else {
    state.matches = new Set();
    names.forEach((name, i) => words.every((word) => name.includes(word)) && state.matches.add(i));
    $("found").textContent = `${state.matches.size.toLocaleString("en")} found`;
  }
  redraw();
}

$("search").addEventListener("input", (event) => search(event.target.value));
$("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && state.matches?.size) {
    visit = (visit + (event.shiftKey ? state.matches.size - 1 : 1)) % state.matches.size;
    choose([...state.matches][visit], true);
  } else if (event.key === "Escape") {
    event.target.value = "";
    search("");
    map.focus();
  }
});

// --- pointer ---

const pointers = new Map();
let moved = false;

const place = (event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

function pictureAt(x, y) {
  const reach = Math.max(squareNow() / 2, 6) / view.scale;
  return points.nearest(...toMap(x, y), reach);
}

map.addEventListener("pointerdown", (event) => {
  map.setPointerCapture(event.pointerId);
  map.focus({ preventScroll: true });
  pointers.set(event.pointerId, place(event));
  moved = pointers.size > 1;
  flight = null;
  if ((state.lassoing || event.shiftKey) && pointers.size === 1) state.lasso = [place(event)];
});

map.addEventListener("pointermove", (event) => {
  const now = place(event);
  const before = pointers.get(event.pointerId);
  if (!before) return hover(...now);
  if (!moved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
  moved = true;
  hover(-1e9, -1e9);
  if (state.lasso) {
    state.lasso.push(now);
    redraw();
  } else {
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others.length) {
      const [x, y] = others[0];
      const apart = Math.hypot(now[0] - x, now[1] - y) / Math.max(1, Math.hypot(before[0] - x, before[1] - y));
      zoom(apart, (now[0] + x) / 2, (now[1] + y) / 2);
    } else {
      stage.classList.add("moving");
      view.x -= (now[0] - before[0]) / view.scale;
      view.y -= (now[1] - before[1]) / view.scale;
      redraw();
    }
  }
  pointers.set(event.pointerId, now);
});

function release(event) {
  if (!pointers.delete(event.pointerId)) return;
  stage.classList.remove("moving");
  const lasso = state.lasso;
  state.lasso = null;
  $("tip").style.display = "none";
  if (lasso && moved && event.type === "pointerup") select(inside(lasso.map(([x, y]) => toMap(x, y))));
  else if (!moved && event.type === "pointerup") choose(pictureAt(...place(event)));
  redraw();
}

map.addEventListener("pointerup", release);
map.addEventListener("pointercancel", release);
stage.addEventListener("pointerleave", () => hover(-1e9, -1e9));
map.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    flight = null;
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoom(Math.exp(-event.deltaY * lines * 0.0016), ...place(event));
    hover(-1e9, -1e9);
  },
  { passive: false },
);
map.addEventListener("dblclick", (event) => zoom(2, ...place(event)));

function inside(polygon) {
  const xs = polygon.map(([x]) => x);
  const ys = polygon.map(([, y]) => y);
  const found = [];
  for (const i of points.within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))) {
    let crossings = 0;
    for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
      const [x1, y1] = polygon[a];
      const [x2, y2] = polygon[b];
      if (y1 > points.y[i] !== y2 > points.y[i]) {
        crossings += points.x[i] < ((x2 - x1) * (points.y[i] - y1)) / (y2 - y1) + x1;
      }
    }
    if (crossings % 2) found.push(i);
  }
  return found.sort((a, b) => a - b);
}

function hover(x, y) {
  const i = x < -1e8 ? -1 : pictureAt(x, y);
  const tip = $("tip");
  if (i !== state.hover) {
    state.hover = i;
    redraw();
    if (i >= 0) {
      const group = DATA.groups[points.labels[i]];
      tip.replaceChildren(
        picture(i, Math.max(120, Math.min(240, Sprites.side))),
        element("div", { textContent: Pictures.name(i) }),
        element("div", { className: "soft", textContent: group ? `${Pictures.folder(i)} · ${group.name}` : Pictures.folder(i) }),
        element("div", { className: "soft words", textContent: Words.text(i) }),
      );
    }
  }
  tip.style.display = i >= 0 ? "block" : "none";
  if (i < 0) return;
  const room = [tip.offsetWidth + 18, tip.offsetHeight + 18];
  tip.style.left = `${x + room[0] > width ? Math.max(0, x - room[0]) : x + 18}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 14, height - room[1]))}px`;
}

// --- keys ---

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function step([dx, dy]) {
  if (state.chosen < 0) return choose(nearestToMiddle());
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < count; i++) {
    const [x, y] = [points.x[i] - points.x[state.chosen], points.y[i] - points.y[state.chosen]];
    const along = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (i === state.chosen || along <= 0 || aside > along) continue;
    if (along + 2 * aside < least) [best, least] = [i, along + 2 * aside];
  }
  if (best >= 0) choose(best);
}

const nearestToMiddle = () => nearestTo(...toMap(width / 2, height / 2));

function letGo() {
  if (state.lasso) state.lasso = [];
  else if (state.chosen >= 0) choose(-1);
  else if (selection.size) select([]);
  else if (state.matches) search(($("search").value = ""));
  redraw();
}

function setLasso(on) {
  state.lassoing = on;
  $("lasso").setAttribute("aria-pressed", on);
  stage.classList.toggle("lasso", on);
}

const KEYS = {
  "+": () => zoom(1.4),
  "=": () => zoom(1.4),
  "-": () => zoom(1 / 1.4),
  0: () => fly(fitted()),
  Enter: () => state.chosen >= 0 && flyTo(state.chosen, Math.max(view.scale, 110)),
  " ": () => {
    if (state.chosen < 0) return;
    if (!selection.delete(state.chosen)) selection.add(state.chosen);
    select([...selection]);
  },
  l: () => setLasso(!state.lassoing),
  c: () => copyPaths(selection.size ? [...selection] : state.chosen >= 0 ? [state.chosen] : []),
  d: () => Theme.toggle(),
  "/": () => $("search").focus(),
  "?": () => $("keys").showModal(),
  Escape: letGo,
};

document.addEventListener("keydown", (event) => {
  const typing = /INPUT|TEXTAREA/.test(event.target.tagName);
  const pressing = event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ");
  if (typing || pressing || $("keys").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (arrow && event.shiftKey) {
    view.x += (arrow[0] * 80) / view.scale;
    view.y += (arrow[1] * 80) / view.scale;
    redraw();
  } else if (arrow) {
    step(arrow);
  } else if (/^[1-9]$/.test(key)) {
    const other = state.chosen >= 0 && [...neighbours(state.chosen)][key - 1];
    if (other) choose(other[0], true);
  } else if (KEYS[key]) {
    KEYS[key]();
  } else {
    return;
  }
  event.preventDefault();
});

// --- the rest ---

$("lasso").addEventListener("click", () => setLasso(!state.lassoing));
$("fit").addEventListener("click", () => fly(fitted()));
$("theme").addEventListener("click", () => Theme.toggle());
$("help").addEventListener("click", () => $("keys").showModal());
DATA.groups.forEach((group, number) => {
  const members = () => [...points.labels.keys()].filter((i) => points.labels[i] === number);
  const swatch = element("i");
  swatch.dataset.group = number;
  const text = `${group.name} ${group.size.toLocaleString("en")}`;
  const button = element("button", { title: "Select these", onclick: () => (select(members()), flyToAll(members())) });
  button.append(swatch, text);
  $("legend").append(button);
});
// Colours are others on a dark ground.
function colour() {
  const theme = themeName();
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--ground").trim();
  const values = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  tiles.colours = Object.assign({}, DATA.groups.map((group) => group[theme][0]));
  tiles.tints = DATA.groups.map((group) => {
    const below = values(ground);
    return `rgb(${values(group[theme][0]).map((value, at) => Math.round(0.2 * value + 0.8 * below[at]))})`;
  });
  for (const swatch of document.querySelectorAll("#legend i")) {
    swatch.style.background = DATA.groups[swatch.dataset.group][theme][0];
  }
  tiles.invalidate();
  redraw();
}
colour();
Theme.onchange.push(colour);
Sprites.onload.push(() => (tiles.invalidate(), redraw()));
new ResizeObserver(resize).observe(stage);
resize();
