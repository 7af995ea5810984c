// The page of a file of games: one of them on a board, position by position.
import { Board, describe, heatOf } from "./board.js";
import { element } from "./pieces.js";
import { percent, showChances, showPlayers, showRows, signOf } from "./sides.js";

const SHOWN = 6; // moves in the table of a policy
const $ = (id) => document.getElementById(id);
const FILE = $("game").dataset.file;

const board = new Board($("board"));
let game = null; // as the node told it
let positions = []; // what lies where, after each move
let place = 0; // moves before the position on the page
let asked = new Map(); // what the canonical model thinks, by place
let loading = 0; // games asked for so far

// ---- the node

async function ask(path) {
  const answer = await fetch(FILE + path, { cache: "no-store" });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

async function load(number, at) {
  const mine = ++loading;
  say("The game is played again. The first time, the rules are compiled, which takes a minute.");
  try {
    const told = await ask(number);
    if (mine !== loading) return;
    open(told);
    go(at);
    say("");
  } catch (error) {
    if (mine === loading) say(error.message, true);
  }
}

async function analyse() {
  if (!game) return;
  const at = place, mine = loading;
  say("The canonical model thinks …");
  $("analyse").disabled = true;
  try {
    const thought = await ask(`${game.number}/${at}`);
    if (mine !== loading) return;
    asked.set(at, thought);
    say("What the canonical model thinks is shown.");
  } catch (error) {
    say(error.message, true);
  }
  render();
}

// ---- the game

function open(told) {
  const isSame = game?.board === told.board;
  game = told;
  asked = new Map();
  positions = unfold(told.steps);
  if (!isSame) board.layOut(told.board, told.cells);
  $("game").hidden = false;
  $("number").value = told.number;
  $("number").max = told.games;
  $("games").textContent = `of ${told.games}`;
  $("place").max = told.steps.length - 1;
  $("moves").replaceChildren(...told.steps.filter((step) => step.made && !step.made.passes).map(listed));
  drawCourse();
}

// Returns what lies where after each move: a step tells only what changed.
function unfold(steps) {
  const lies = new Map();
  return steps.map((step) => {
    for (const [cell, what] of Object.entries(step.changed)) lies.set(cell, what);
    const of = (letter) => Object.fromEntries([...lies].filter(([, what]) => what[0] === letter).map(([cell, what]) => [cell, what.slice(1)]));
    return { ...step, stacks: of("s"), markers: of("m"), collapsed: of("c") };
  });
}

function go(number) {
  place = Math.min(Math.max(number, 0), positions.length - 1);
  history.replaceState(null, "", `#${game.number}.${place}`);
  render();
}

// ---- what is shown

function say(words, isBad = false) {
  $("news").textContent = words;
  $("news").classList.toggle("bad", isBad);
}

function render() {
  const position = positions[place], last = positions.length - 1;
  const thought = asked.get(place) ?? position.thought;
  $("turn").textContent = turnWords(position);
  const latest = chosenBefore(place);
  $("made").textContent = latest ? `Move ${latest.number} of ${last}, ${moveWords(latest.made)}.` : `First position; ${last} moves follow.`;
  board.show(position, { targets: new Set(), picked: [], last: latest?.made.cells ?? [] });
  board.heat(heatOf(thought?.policy ?? []));
  board.svg.setAttribute("aria-label", `Board ${game.board} after move ${place}`);
  showPlayers($("players"), position, { names: game.players, rings: game.ring_threshold, territory: game.territory_minimum });
  renderThought(thought, position);
  $("about").textContent = about();
  $("place").value = place;
  $("place").setAttribute("aria-valuetext", `after move ${place} of ${last}`);
  for (const id of ["first", "back"]) $(id).disabled = place === 0;
  for (const id of ["on", "last"]) $(id).disabled = place === last;
  $("earlier").disabled = game.number === 1;
  $("later").disabled = game.number === game.games;
  renderMoves();
  $("words").replaceChildren(...wordsOf(position));
  $("course").querySelector(".now")?.setAttribute("d", `M${courseX(place)} 0V90`);
}

// The last step at which something could be chosen: what comes after it are passes.
const chosenBefore = (number) => positions.slice(1, number + 1).findLast((step) => !step.made.passes);

function turnWords(position) {
  if (position.winner) return `Player ${position.winner} won ${position.phase}.`;
  if (place === positions.length - 1) return "The game was broken off at the limit of moves.";
  return `${signOf(position.player)} Player ${position.player}: ${position.phase}`;
}

const moveWords = (made) => `player ${made.player}: ${made.words}`;

function about() {
  if (game.block !== null) return `Block ${game.block + 1} of this file.`;
  if (!game.opening) return "";
  return game.opening === 1 ? "The first move was drawn at random." : `The first ${game.opening} moves were drawn at random.`;
}

function renderThought(thought, position) {
  const isAsked = asked.has(place);
  $("thought-title").textContent = isAsked ? "What the canonical model thinks" : "What the search found";
  $("thought").hidden = !thought;
  $("thoughtless").textContent = thought || position.winner ? "" : "The record keeps no search of this move.";
  $("thoughtless").hidden = Boolean(thought || position.winner);
  $("analyse").hidden = isAsked || Boolean(position.winner);
  $("analyse").disabled = false;
  if (!thought) return;
  showChances($("chances"), thought.chances);
  const next = positions[place + 1]?.made.move;
  showRows($("opinions"), thought.policy.slice(0, SHOWN).map((each) => [percent(each.share), `${each.words}${each.move === next ? " (played)" : ""}`]));
}

function listed(step) {
  const item = document.createElement("li"), button = document.createElement("button");
  item.value = step.number;
  button.type = "button";
  button.tabIndex = -1;
  button.textContent = `${signOf(step.made.player)} ${step.made.words}`;
  button.addEventListener("click", () => go(step.number));
  item.append(button);
  return item;
}

function renderMoves() {
  const list = $("moves");
  for (const item of list.querySelectorAll("[aria-current]")) item.removeAttribute("aria-current");
  const latest = chosenBefore(place)?.number;
  const item = [...list.children].find((each) => each.value === latest);
  item?.setAttribute("aria-current", "step");
  list.scrollTop = item ? item.offsetTop - list.offsetTop - list.clientHeight / 2 : 0;
}

function wordsOf(position) {
  const cells = game.cells.filter((cell) => position.stacks[cell] || position.markers[cell] || position.collapsed[cell]);
  const lines = cells.map((cell) => describe(cell, position, false, false));
  return (lines.length ? lines : ["Nothing lies on the board."]).map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  });
}

// ---- the course of the game

const courseX = (number) => (300 * number) / Math.max(1, positions.length - 1);

// Draws the chances of each player over the moves with a recorded search.
function drawCourse() {
  const known = positions.filter((position) => position.thought);
  $("course-figure").hidden = known.length < 2;
  const lines = game.players.map((_, seat) => {
    const points = known.map((position) => `${courseX(position.number).toFixed(1)},${(90 * (1 - position.thought.chances[seat])).toFixed(1)}`);
    return element("polyline", { class: `p${seat + 1}`, points: points.join(" ") });
  });
  $("course").replaceChildren(element("path", { class: "half", d: "M0 45H300" }), ...lines, element("path", { class: "now" }));
  const final = known.at(-1)?.thought.chances.map((chance, seat) => `player ${seat + 1} ${Math.round(100 * chance)}%`) ?? [];
  $("course").setAttribute("aria-label", `Chances in the course of the game; at the last search ${final.join(", ")}`);
}

// ---- keys, buttons and forms

// Whether the game begins or ends there, or something can be chosen: moves without a choice are passed over.
const isStop = (number) => !positions[number + 1]?.made.passes || number <= 0;

function passOver(number, by) {
  while (!isStop(number)) number += by;
  return number;
}

const STEPS = {
  ArrowLeft: () => passOver(place - 1, -1),
  ArrowRight: () => passOver(place + 1, 1),
  Home: () => 0,
  End: () => positions.length - 1,
};

function press(event) {
  const hasOwnKeys = event.target.closest("input, textarea, select, .scroll");
  if (!game || hasOwnKeys || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !STEPS[event.key]) return;
  event.preventDefault();
  go(STEPS[event.key]());
}

// Loads the game that the address names, such as #3.17: game 3, after 17 moves.
function follow() {
  const [number, at] = location.hash.slice(1).split(".").map(Number);
  const wanted = Number.isInteger(number) && number > 0 ? number : 1;
  if (game?.number === wanted) go(at || 0);
  else load(wanted, at || 0);
}

document.addEventListener("keydown", press);
window.addEventListener("hashchange", follow);
for (const [id, key] of [["first", "Home"], ["back", "ArrowLeft"], ["on", "ArrowRight"], ["last", "End"]]) {
  $(id).addEventListener("click", () => go(STEPS[key]()));
}
$("place").addEventListener("input", () => go(Number($("place").value)));
$("course").addEventListener("click", (event) => {
  const box = $("course").getBoundingClientRect();
  go(Math.round(((event.clientX - box.x) / box.width) * (positions.length - 1)));
});
$("analyse").addEventListener("click", analyse);
$("earlier").addEventListener("click", () => load(game.number - 1, 0));
$("later").addEventListener("click", () => load(game.number + 1, 0));
$("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  load(Number($("number").value), 0);
});
$("number").addEventListener("change", () => $("choice").requestSubmit());
follow();
