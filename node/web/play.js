// The page /play: one game of a person against the model of this node.
import { Board } from "./board.js";
import { percent, showChances, showPlayers, showRows, signOf } from "./sides.js";

const TOKEN = document.querySelector("meta[name=ringrift-token]").content;
const KEPT = "ringrift-game"; // where this tab keeps the id of its game
const SHOWN = 6; // moves in the table of a thought
const $ = (id) => document.getElementById(id);

const board = new Board($("board"), choose, release);
let game = null; // the newest position, as the node told it
let shown = null; // the position on the page: the newest or an earlier one
let thought = null; // what the model thinks of the newest position
let picked = []; // the cells chosen so far
let isBusy = false;
let deeds = 0; // what was begun so far

// ---- the node

async function ask(path, request) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-ringrift-token": TOKEN },
    body: JSON.stringify(request),
  });
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.error), { status: answer.status });
  return told;
}

// Does one thing at a time, with the buttons off, and says what went wrong. `act` gets a function that tells whether
// nothing has interrupted it: a new game may.
async function doing(words, act, interrupts = false) {
  if (isBusy && !interrupts) return;
  const mine = ++deeds, isCurrent = () => mine === deeds;
  isBusy = true;
  if (words) say(words);
  render();
  try {
    await act(isCurrent);
  } catch (error) {
    if (isCurrent()) say(error.message, true);
  }
  if (isCurrent()) {
    isBusy = false;
    render();
  }
}

function take(info) {
  game = shown = info;
  thought = null;
  picked = [];
  board.point([]);
  const told = info.happened.filter((made) => !made.passes);
  for (const made of told) addMove(made);
  return told;
}

// Lets the model play until it is a person's turn.
async function letModelPlay(isCurrent) {
  while (isModelsTurn()) {
    say(`Player ${game.position.player} thinks …`);
    render();
    const info = await ask("play/answer", { game: game.game });
    if (!isCurrent()) return;
    const told = take(info);
    render();
    tell(told);
  }
  if ($("analysis").getAttribute("aria-pressed") === "true" && !game.position.winner) await think();
}

const isModelsTurn = () => !game.position.winner && !game.persons.includes(game.position.player);

async function think() {
  thought = await ask("play/think", { game: game.game });
}

// ---- what a person does

function play(move) {
  doing("", async (isCurrent) => {
    const info = await ask("play/move", { game: game.game, move });
    if (!isCurrent()) return;
    tell(take(info));
    await letModelPlay(isCurrent);
  }).then(focusBoard);
}

function choose(cell) {
  if (isBusy || !canChoose()) return;
  if (targets().has(cell)) picked.push(cell);
  else picked = first().some((choice) => choice.steps[0].includes(cell)) ? [cell] : [];
  const left = candidates(), whole = left.filter((choice) => choice.steps.length === picked.length);
  if (left.length === 1 && whole.length === 1 && picked.length) play(whole[0].move);
  else {
    render();
    if (whole.length) {
      say(`${cell}: choose one of ${whole.length} moves.`);
      $("choices").querySelector("button")?.focus();
    } else if (picked.length) say(`${cell} chosen; ${targets().size} cells to go to.`);
  }
}

function release() {
  picked = [];
  render();
}

const canChoose = () => game && shown === game && !isModelsTurn() && !game.position.winner;
const first = () => game.position.choices.filter((choice) => choice.steps.length);

// The moves that begin with the cells chosen so far.
function candidates() {
  return first().filter((choice) => chosen().every((cell, place) => choice.steps[place]?.includes(cell)));
}

// The cells chosen so far; where all moves begin at one cell, that is chosen by itself.
function chosen() {
  const starts = new Set(first().filter((choice) => choice.steps.length > 1).flatMap((choice) => choice.steps[0]));
  const isOnly = starts.size === 1 && first().every((choice) => choice.steps.length > 1);
  if (isOnly && !picked.length) picked = [...starts];
  return picked;
}

function targets() {
  if (!canChoose()) return new Set();
  return new Set(candidates().flatMap((choice) => choice.steps[chosen().length] ?? []));
}

function focusBoard() {
  if (document.activeElement === document.body || document.activeElement?.closest("#choices")) {
    board.svg.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  }
}

// ---- what is shown

function say(words, isBad = false) {
  $("news").textContent = words;
  $("news").classList.toggle("bad", isBad);
}

// Says which moves were made, and how the game ended.
function tell(made) {
  const words = made.map((each) => `Player ${each.player}: ${each.words}.`);
  if (game.position.winner) words.push(turnWords(game.position));
  if (words.length) say(words.join(" "));
}

function render() {
  for (const button of document.querySelectorAll("#game button")) button.disabled = isBusy;
  if (!game) return;
  const position = shown.position;
  $("game").hidden = false;
  $("turn").textContent = turnWords(position);
  $("explanation").textContent = explain(position);
  const marked = canChoose() ? chosen() : [];
  board.show(position, { targets: isBusy ? new Set() : targets(), picked: marked, last: lastCells() });
  board.heat(heat());
  renderChoices();
  showPlayers($("players"), position, {
    names: position.seats.map((_, place) => (game.persons.includes(place + 1) ? "you" : "")),
    rings: game.ring_threshold,
    territory: game.territory_minimum,
  });
  renderThought();
  $("place").textContent = `${position.number} of ${game.moves}`;
  $("about").textContent = `${game.configuration}, against ${game.model}; strength ${game.strength}, seed ${game.seed}.`;
  $("first").disabled = $("back").disabled = isBusy || position.number === 0;
  $("last").disabled = $("on").disabled = isBusy || position.number === game.moves;
  $("hint").disabled = isBusy || !canChoose();
}

function explain(position) {
  if (shown !== game) return `Position after move ${position.number}.`;
  return position.winner ? "Undo, save the game, or begin a new one." : position.explanation;
}

// The cells of the last move that has any.
function lastCells() {
  return shown.happened.findLast((made) => made.cells.length)?.cells ?? [];
}

function turnWords(position) {
  if (position.winner) return `Player ${position.winner} won ${position.phase}.`;
  const who = game.persons.includes(position.player) ? "you" : "the model";
  return `${signOf(position.player)} Player ${position.player} (${who}): ${position.phase}`;
}

// Buttons for the moves that the chosen cells name, and for those that have no cell.
function renderChoices() {
  const plain = canChoose() ? game.position.choices.filter((choice) => !choice.steps.length) : [];
  const whole = canChoose() && picked.length ? candidates().filter((choice) => choice.steps.length === chosen().length) : [];
  const buttons = [...whole, ...plain].map((choice) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = choice.words;
    button.dataset.move = choice.move;
    button.disabled = isBusy;
    button.addEventListener("click", () => play(choice.move));
    return button;
  });
  $("choices").replaceChildren(...buttons);
}

// The share of the policy by the cell that would be chosen next.
function heat() {
  const shares = new Map();
  if (!thought || !canChoose()) return shares;
  const policy = new Map(thought.opinions.map((each) => [each.move, each.policy]));
  for (const choice of candidates()) {
    const cells = choice.steps[chosen().length] ?? [];
    for (const cell of cells) shares.set(cell, (shares.get(cell) ?? 0) + policy.get(choice.move));
  }
  return shares;
}

function renderThought() {
  $("thought").hidden = !thought;
  if (!thought) return;
  showChances($("chances"), thought.chances);
  const words = new Map(game.position.choices.map((choice) => [choice.move, choice.words]));
  const best = [...thought.opinions].sort((a, b) => b.visits - a.visits || b.policy - a.policy).slice(0, SHOWN);
  showRows($("opinions"), best.map((each) => [percent(each.policy), String(each.visits || "–"), words.get(each.move)]));
}

function addMove(made) {
  const item = document.createElement("li");
  item.value = made.number;
  item.textContent = `${signOf(made.player)} ${made.words}`;
  $("moves").append(item);
  $("moves").scrollTop = $("moves").scrollHeight;
}

// ---- buttons and forms

function offerSeats() {
  const players = Number($("new").configuration.value.split("-")[1]);
  const seats = Array.from({ length: players }, (_, place) => [`player ${place + 1}`, String(place + 1)]);
  const everybody = Array.from({ length: players }, (_, place) => place + 1).join(",");
  const options = [...seats, ["all players", everybody], ["a spectator", ""]].map(([text, value]) => new Option(text, value));
  $("new").persons.replaceChildren(...options);
}

function begin(event) {
  event.preventDefault();
  const form = $("new");
  const request = {
    configuration: form.configuration.value,
    persons: form.persons.value.split(",").filter(Boolean).map(Number),
    strength: form.strength.value,
    instead_of: sessionStorage.getItem(KEPT),
  };
  if (form.seed.value) request.seed = form.seed.value;
  const words = "The game begins. The first time, the rules are compiled, which takes a minute.";
  doing(words, async (isCurrent) => open(await ask("play", request), isCurrent), true);
}

async function open(info, isCurrent) {
  sessionStorage.setItem(KEPT, info.game);
  $("moves").replaceChildren();
  board.layOut(info.board, info.cells);
  take(info);
  say(isModelsTurn() ? "" : `Player ${info.position.player} begins.`);
  await letModelPlay(isCurrent);
}

function look(number) {
  doing("", async () => {
    const info = await ask("play/look", { game: game.game, number });
    shown = number === game.moves ? game : info;
    picked = [];
    say(info.happened.map((made) => `Move ${made.number}, player ${made.player}: ${made.words}.`).join(" ") || "First position.");
  });
}

function undo() {
  doing("", async () => {
    const info = await ask("play/undo", { game: game.game });
    while ($("moves").lastElementChild?.value > info.moves) $("moves").lastElementChild.remove();
    take(info);
    say("Your last move is taken back.");
  });
}

function hint() {
  doing("The model thinks …", async () => {
    if (!thought) await think();
    const choice = game.position.choices.find((each) => each.move === thought.move);
    board.point(choice.steps.flat());
    say(`The model would ${thought.words}.`);
  });
}

function analyse() {
  const button = $("analysis"), isOn = button.getAttribute("aria-pressed") !== "true";
  if (isBusy) return;
  button.setAttribute("aria-pressed", String(isOn));
  if (!isOn || game.position.winner) {
    thought = null;
    render();
  } else doing("The model thinks …", async () => {
    await think();
    say("What the model thinks is shown.");
  });
}

function save() {
  doing("", async () => {
    const file = await ask("play/save", { game: game.game });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file.text], { type: "application/json" }));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say(`Saved as ${file.name}; ringrift-node replay shows it.`);
  });
}

// Goes on with the game of this tab after a reload.
function resume() {
  const id = sessionStorage.getItem(KEPT);
  if (id) doing("", async (isCurrent) => {
    const info = await lookWhenIdle(id, isCurrent);
    if (info) await open(info, isCurrent);
  });
}

// Returns a game once the node has answered what was asked about it before, or nothing if it has ended.
async function lookWhenIdle(id, isCurrent) {
  while (isCurrent()) {
    try {
      return await ask("play/look", { game: id });
    } catch (error) {
      if (error.status === 404) return sessionStorage.removeItem(KEPT);
      if (error.status !== 409) throw error;
      say("The model still thinks …");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

$("new").addEventListener("submit", begin);
$("new").configuration.addEventListener("change", offerSeats);
for (const [id, act] of Object.entries({ undo, hint, analysis: analyse, save })) $(id).addEventListener("click", act);
$("first").addEventListener("click", () => look(0));
$("back").addEventListener("click", () => look(shown.position.number - 1));
$("on").addEventListener("click", () => look(shown.position.number + 1));
$("last").addEventListener("click", () => look(game.moves));
offerSeats();
resume();
