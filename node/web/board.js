// The board as SVG: its cells as buttons that the keyboard reaches, what lies on them, which of them can be chosen.
import { capOf, element, marker, stack, territory } from "./pieces.js";

const UNIT = 72; // width of a cell
const ROW = Math.sqrt(3) / 2; // distance of the rows of a hex board, in cell widths
const MARGIN = 30; // for the coordinates
const KEYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

export class Board {
  // `choose` is called with the name of a cell, `release` when a person presses Escape. Without them the board is a
  // picture.
  constructor(svg, choose, release) {
    this.svg = svg;
    this.cells = new Map();
    this.isPicture = !choose;
    svg.setAttribute("role", this.isPicture ? "img" : "group");
    if (this.isPicture) return;
    svg.addEventListener("click", (event) => {
      const cell = event.target.closest(".cell");
      if (cell) {
        this.focus(cell.dataset.cell);
        choose(cell.dataset.cell);
      }
    });
    svg.addEventListener("keydown", (event) => this.#press(event, choose, release));
  }

  // Lays out an empty board with cells named "x,y".
  layOut(name, names) {
    const isHex = name.startsWith("hex");
    const points = new Map(names.map((cell) => [cell, place(cell, isHex)]));
    const xs = [...points.values()].map(([x]) => x), ys = [...points.values()].map(([, y]) => y);
    const left = Math.min(...xs) - UNIT / 2 - MARGIN, top = Math.min(...ys) - 0.58 * UNIT - MARGIN;
    const width = Math.max(...xs) + UNIT / 2 + MARGIN - left, height = Math.max(...ys) + 0.58 * UNIT + MARGIN - top;
    this.svg.setAttribute("viewBox", `${left} ${top} ${width} ${height}`);
    this.svg.setAttribute("class", names.length > 100 ? "board large" : "board");
    this.svg.setAttribute("aria-label", `Board ${name}`);
    // From the back row to the front, since high stacks may reach into the row behind them.
    const order = [...names].sort((a, b) => points.get(a)[1] - points.get(b)[1] || points.get(a)[0] - points.get(b)[0]);
    this.cells = new Map(order.map((cell) => [cell, makeCell(cell, points.get(cell), isHex, this.isPicture)]));
    this.points = points;
    this.svg.replaceChildren(...labels(points, isHex), ...this.cells.values());
    if (!this.isPicture) this.#reach(order[Math.floor(order.length / 2)]);
  }

  // Shows a position. `targets` can be chosen now, `picked` were chosen, `last` were touched by the last move.
  show(position, { targets, picked, last }) {
    for (const [name, cell] of this.cells) {
      fill(cell, position.stacks[name], position.markers[name], position.collapsed[name]);
      cell.classList.toggle("last", last.includes(name));
      if (this.isPicture) continue;
      cell.classList.toggle("target", targets.has(name));
      cell.classList.toggle("picked", picked.includes(name));
      cell.setAttribute("aria-label", describe(name, position, targets.has(name), picked.includes(name)));
      cell.setAttribute("aria-disabled", String(!targets.has(name)));
    }
  }

  // Colours cells by shares between 0 and 1; the greatest is darkest.
  heat(shares) {
    const most = Math.max(...shares.values(), 1e-9);
    for (const [name, cell] of this.cells) {
      cell.querySelector(".heat").setAttribute("opacity", (0.75 * Math.sqrt((shares.get(name) ?? 0) / most)).toFixed(3));
    }
  }

  // Outlines the cells of a hint.
  point(cells) {
    for (const [name, cell] of this.cells) cell.classList.toggle("hinted", cells.includes(name));
  }

  focus(name) {
    this.#reach(name);
    this.cells.get(name)?.focus({ preventScroll: true });
  }

  #reach(name) {
    for (const [each, cell] of this.cells) cell.setAttribute("tabindex", each === name ? "0" : "-1");
  }

  #press(event, choose, release) {
    const name = event.target.dataset?.cell;
    if (!name) return;
    if (event.key === "Enter" || event.key === " ") choose(name);
    else if (event.key === "Escape") release();
    else if (KEYS[event.key]) this.focus(this.#neighbour(name, KEYS[event.key]) ?? name);
    else return;
    event.preventDefault();
  }

  // The nearest cell in a direction; what lies aside counts as farther away.
  #neighbour(name, [dx, dy]) {
    const [x, y] = this.points.get(name);
    let best, least = Infinity;
    for (const [other, [ox, oy]] of this.points) {
      const along = (ox - x) * dx + (oy - y) * dy, aside = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
      const cost = along + 2.2 * aside;
      if (along > 1 && aside <= along * 1.2 && cost < least) [best, least] = [other, cost];
    }
    return best;
  }
}

function place(cell, isHex) {
  const [x, y] = cell.split(",").map(Number);
  return isHex ? [UNIT * (x + y / 2), UNIT * ROW * y] : [UNIT * x, UNIT * y];
}

function makeCell(name, [x, y], isHex, isPicture) {
  const corner = UNIT / Math.sqrt(3), half = UNIT / 2;
  const points = isHex
    ? [[0, -corner], [half, -corner / 2], [half, corner / 2], [0, corner], [-half, corner / 2], [-half, -corner / 2]]
    : [[-half, -half], [half, -half], [half, half], [-half, half]];
  const outline = points.map((point) => point.join(",")).join(" ");
  const inner = points.map(([px, py]) => [0.93 * px, 0.93 * py].join(",")).join(" ");
  return element(
    "g",
    {
      class: "cell",
      "data-cell": name,
      transform: `translate(${x} ${y})`,
      ...(isPicture ? {} : { role: "button", tabindex: "-1" }),
    },
    element("polygon", { points: outline, class: "ground" }),
    element("polygon", { points: outline, class: "heat", opacity: "0" }),
    element("polygon", { points: inner, class: "frame" }),
    element("circle", { r: 0.11 * UNIT, class: "spot" }),
    element("g", { class: "lies" }),
  );
}

// The coordinates: of columns at their upper end, of rows at the left, on hex boards at their right end.
function labels(points, isHex) {
  const columns = new Map(), rows = new Map();
  for (const [name, point] of points) {
    const [x, y] = name.split(",");
    if (!columns.has(x) || point[1] < columns.get(x)[1]) columns.set(x, point);
    const isOuter = isHex ? point[0] > (rows.get(y)?.[0] ?? -Infinity) : point[0] < (rows.get(y)?.[0] ?? Infinity);
    if (isOuter) rows.set(y, point);
  }
  const side = isHex ? 0.68 : -0.68;
  return [
    ...[...columns].map(([x, at]) => label(x, at[0] + (isHex ? -0.36 * UNIT : 0), at[1] - 0.75 * UNIT)),
    ...[...rows].map(([y, at]) => label(y, at[0] + side * UNIT, at[1])),
  ];
}

function label(words, x, y) {
  const drawn = element("text", { x, y: y + 6, class: "label", "aria-hidden": "true" });
  drawn.textContent = words;
  return drawn;
}

// Draws what lies on a cell, if that is something else than before.
function fill(cell, rings, owner, collapsed) {
  const lies = `${rings ?? ""} ${owner ?? ""} ${collapsed ?? ""}`;
  if (cell.dataset.lies === lies) return;
  cell.dataset.lies = lies;
  const drawn = rings ? stack(rings, UNIT) : owner ? marker(owner, UNIT) : collapsed ? territory(collapsed, UNIT) : "";
  cell.querySelector(".lies").replaceChildren(drawn);
  cell.querySelector(".ground").setAttribute("class", collapsed ? `ground p${collapsed} collapsed` : "ground");
}

// The share of a policy by the cell where a move begins, or if that is the same for all, by the one where it ends.
export function heatOf(policy) {
  const shares = new Map(), moves = policy.filter((each) => each.cells.length);
  const isOneStart = new Set(moves.map((each) => each.cells[0])).size === 1;
  for (const each of moves) {
    const cell = isOneStart ? each.cells.at(-1) : each.cells[0];
    shares.set(cell, (shares.get(cell) ?? 0) + each.share);
  }
  return shares;
}

export function describe(name, position, isTarget, isPicked) {
  const rings = position.stacks[name];
  const lies = rings
    ? `stack of ${rings.length}, cap ${capOf(rings)}, of player ${rings.at(-1)}`
    : position.markers[name] ? `marker of player ${position.markers[name]}`
    : position.collapsed[name] ? `territory of player ${position.collapsed[name]}` : "empty";
  return `${name}: ${lies}${isPicked ? ", chosen" : ""}${isTarget ? ", can be chosen" : ""}`;
}
