// Keeps the page as the node is now: what changed comes as server-sent events and is put in place, part by part.
// Without JavaScript the page reloads itself.
import { morphChildren } from "./morph.js";

const SILENT_MS = 9000; // the node says something every two seconds
const CUT_OFF_MS = 4000; // the same after the connection was lost: it is made again within a second
const AGAIN_MS = 5000;
const contact = document.querySelector("#contact");
const parts = new Map(); // the lines of each part as the node sent them, by id
const held = new Set(); // parts that are not put in place yet, as something in them is selected
let events = null;
let heardAt = Date.now();
let patience = SILENT_MS;

function parse(text) {
  const template = document.createElement("template"); // unlike a document it takes every element as it is
  template.innerHTML = text;
  return template.content;
}

function isSelected(element) {
  const selection = getSelection();
  return Boolean(selection?.toString()) && selection.containsNode(element, true);
}

function put(name) {
  const element = document.getElementById(name);
  if (!element) return;
  if (isSelected(element)) {
    held.add(name);
    return;
  }
  held.delete(name);
  morphChildren(element, parse(parts.get(name).join("\n")));
}

function observe(message) {
  heard();
  for (const [name, changes] of Object.entries(JSON.parse(message.data))) {
    const old = parts.get(name) ?? [];
    parts.set(name, changes.flatMap((change) => (typeof change === "string" ? [change] : old.slice(change[0], change[0] + change[1]))));
    put(name);
  }
}

function heard() {
  heardAt = Date.now();
  patience = SILENT_MS;
  if (!document.body.classList.contains("gone")) return;
  document.body.classList.remove("gone");
  contact.textContent = "The node answers again.";
  setTimeout(() => document.body.classList.contains("gone") || (contact.textContent = ""), 5000);
}

function look() {
  if (document.hidden || Date.now() - heardAt < patience || document.body.classList.contains("gone")) return;
  document.body.classList.add("gone");
  const since = new Date(heardAt).toLocaleTimeString();
  contact.textContent = `The node stopped answering at ${since}. The page shows how it was then, and goes on when the node answers again.`;
}

// Where no further stream is served, the page is asked for now and then.
async function poll() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    heard();
    for (const part of page.querySelectorAll("[data-part]")) {
      parts.set(part.id, part.innerHTML.split("\n"));
      put(part.id);
    }
  } catch {
    // `look` says so
  }
}

function listen() {
  parts.clear(); // the first event has them whole
  events = new EventSource(document.body.dataset.events);
  events.addEventListener("message", observe);
  events.addEventListener("error", () => {
    patience = CUT_OFF_MS;
    if (events.readyState !== EventSource.CLOSED) {
      parts.clear();
      return;
    }
    events = null;
    setTimeout(() => events || document.hidden || (poll(), listen()), AGAIN_MS);
  });
}

document.addEventListener("selectionchange", () => getSelection().isCollapsed && held.forEach(put));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    events?.close();
    events = null;
  } else {
    heardAt = Date.now();
    if (!events) listen();
  }
});
for (const each of document.querySelectorAll("[data-newest]")) each.scrollLeft = each.scrollWidth;
setInterval(look, 1000);
if (!document.hidden) listen();
