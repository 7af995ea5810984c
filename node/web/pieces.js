// Draws what lies on a cell: stacks as rings seen from above and in front, markers, and signs of owners.

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 0.3, DEPTH = 0.125, WALL = 0.13; // of a ring, in cell widths
const PILE = 0.5; // the highest that the lowest ring's foot can be below the top ring's

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The sign of a player, `size` across: disc, square, triangle or diamond.
export function sign(player, size) {
  const half = size / 2;
  const points = {
    2: [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => [0.86 * x, 0.86 * y]),
    3: [[0, -1.1], [1, 0.75], [-1, 0.75]],
    4: [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]],
  }[player];
  if (!points) return element("circle", { r: half, class: "sign" });
  return element("polygon", { points: points.map(([x, y]) => `${x * half},${y * half}`).join(" "), class: "sign" });
}

export function marker(player, unit) {
  return element("g", { class: `marker p${player}` }, element("circle", { r: 0.2 * unit, class: "face" }), sign(player, 0.17 * unit));
}

export function territory(player, unit) {
  return element("g", { class: `owned p${player}` }, sign(player, 0.2 * unit));
}

// `rings` has the owners from bottom to top, as digits.
export function stack(rings, unit) {
  const rise = Math.min(WALL, PILE / Math.max(1, rings.length - 1)) * unit;
  const foot = ((rings.length - 1) * rise + WALL * unit) / 2;
  const shift = rings.length > 1 ? -0.13 * unit : 0;
  const pile = [...rings].map((owner, place) => ring(Number(owner), unit, shift, foot - place * rise));
  const top = element("g", { class: `p${rings.at(-1)}`, transform: `translate(${shift} ${foot - (rings.length - 1) * rise - WALL * unit})` }, sign(Number(rings.at(-1)), 0.12 * unit));
  const drawn = element("g", { class: "stack" }, ...pile, top);
  if (rings.length > 1) drawn.append(number(String(rings.length), 0.43 * unit, 0.17 * unit, "height", unit));
  const cap = capOf(rings);
  if (cap < rings.length) drawn.append(number(String(cap), 0.43 * unit, -0.14 * unit, "cap", unit));
  return drawn;
}

export function capOf(rings) {
  const below = [...rings].reverse().findIndex((owner) => owner !== rings.at(-1));
  return below < 0 ? rings.length : below;
}

function ring(owner, unit, x, y) {
  const rx = RADIUS * unit, ry = DEPTH * unit, wall = WALL * unit;
  const side = `M${-rx} ${-wall}V0A${rx} ${ry} 0 0 0 ${rx} 0V${-wall}A${rx} ${ry} 0 0 1 ${-rx} ${-wall}Z`;
  return element(
    "g",
    { class: `ring p${owner}`, transform: `translate(${x} ${y})` },
    element("path", { d: side, class: "wall" }),
    element("ellipse", { cy: -wall, rx, ry, class: "face" }),
  );
}

function number(digits, x, y, name, unit) {
  const size = (name === "height" ? 0.27 : 0.21) * unit;
  const drawn = element("text", { x, y: y + 0.36 * size, "font-size": size, class: name });
  drawn.textContent = digits;
  return drawn;
}
