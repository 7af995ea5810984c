// The games that are being played: each on a board, drawn anew when the page gets another move of it.
import { Board, heatOf } from "./board.js";

const drawn = new WeakMap(); // by element, the board in it and what it shows

function layOut(element) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const made = { name: element.dataset.board, board: new Board(svg), told: "" };
  made.board.layOut(made.name, element.dataset.cells.split(" "));
  drawn.set(element, made);
  element.replaceChildren(svg);
  return made;
}

function draw(element) {
  const known = drawn.get(element);
  const shown = known?.name === element.dataset.board ? known : layOut(element);
  if (shown.told === element.dataset.move) return;
  shown.told = element.dataset.move;
  const move = JSON.parse(shown.told);
  const of = (letter) => Object.fromEntries(Object.entries(move.lies).filter(([, what]) => what[0] === letter).map(([cell, what]) => [cell, what.slice(1)]));
  shown.board.show({ stacks: of("s"), markers: of("m"), collapsed: of("c") }, { targets: new Set(), picked: [], last: move.chosen });
  shown.board.heat(heatOf(move.policy));
  shown.board.svg.setAttribute("aria-label", `Board ${shown.name} before move ${move.plies + 1}`);
}

const drawAll = () => document.querySelectorAll(".seen").forEach(draw);
new MutationObserver(drawAll).observe(document.querySelector("#played"), { subtree: true, childList: true, attributeFilter: ["data-move", "data-board"] });
drawAll();
