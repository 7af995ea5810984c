// What stands beside a board: the players, their chances, and the moves with what is thought of each.
const SIGNS = "●■▲◆";

export const signOf = (player) => SIGNS[player - 1];

// `names` has who each player is, in words, or nothing.
export function showPlayers(list, position, { names, rings, territory }) {
  list.replaceChildren(...position.seats.map((seat, place) => {
    const player = place + 1, item = document.createElement("li");
    item.className = `p${player}${player === (position.winner || position.player) ? " now" : ""}`;
    const name = document.createElement("b");
    name.textContent = `${signOf(player)} Player ${player}${names[place] ? `, ${names[place]}` : ""}`;
    const facts = document.createElement("span");
    facts.textContent = `in hand ${seat.hand}, eliminated ${seat.eliminated} of ${rings}, territory ${seat.territory} of ${territory}`;
    item.append(name, " ", facts);
    return item;
  }));
}

export function showChances(list, chances) {
  list.replaceChildren(...chances.map((chance, place) => {
    const item = document.createElement("li"), bar = document.createElement("meter");
    item.className = `p${place + 1}`;
    Object.assign(bar, { min: 0, max: 1, value: chance });
    bar.setAttribute("aria-label", `Player ${place + 1} wins`);
    item.append(`${SIGNS[place]} `, bar, ` ${Math.round(100 * chance)}%`);
    return item;
  }));
}

// Fills a table: each row has numbers, then words.
export function showRows(body, rows) {
  body.replaceChildren(...rows.map((texts) => {
    const row = document.createElement("tr");
    texts.forEach((text, place) => {
      const cell = document.createElement("td");
      cell.className = place < texts.length - 1 ? "n" : "wrap";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  }));
}

export const percent = (share) => `${(100 * share).toFixed(1)}%`;
