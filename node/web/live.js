// Refreshes the page's contents in place every three seconds. Without JavaScript the page reloads itself.
"use strict";

async function refresh() {
  try {
    const answer = await fetch("./", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    document.title = fresh.title;
    document.body.classList.remove("gone");
  } catch {
    document.body.classList.add("gone");
  }
}

setInterval(() => document.hidden || getSelection().toString() || refresh(), 3000);
