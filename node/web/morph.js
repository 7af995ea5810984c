// Makes an element's contents the same as another's, in place: what stays keeps its focus, scroll and selection.

const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset?.key || "" : "";
const isAlike = (node, next) => node.nodeName === next.nodeName && keyOf(node) === keyOf(next);

/** Give `element` the children of `next`. */
export function morphChildren(element, next) {
  const wanted = [...next.childNodes];
  const keys = new Set(wanted.map(keyOf));
  for (const child of [...element.childNodes]) {
    if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
  }
  const keyed = new Map([...element.childNodes].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = element.firstChild;
  for (const child of wanted) {
    const known = keyOf(child) ? keyed.get(keyOf(child)) : nextAlike(place, child);
    if (known && isAlike(known, child)) {
      while (!keyOf(child) && place !== known) place = removed(place);
      if (known === place) place = place.nextSibling;
      else element.insertBefore(known, place);
      morphNode(known, child);
    } else {
      element.insertBefore(document.importNode(child, true), place);
    }
  }
  while (place) place = removed(place);
}

/** Return the first sibling from `place` on, up to one with a key, that can become `child`. */
function nextAlike(place, child) {
  let node = place;
  while (node && !keyOf(node) && !isAlike(node, child)) node = node.nextSibling;
  return node && isAlike(node, child) ? node : null;
}

/** Remove a node and return the next one. */
function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function morphNode(node, next) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.data !== next.data) node.data = next.data;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") node.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (!next.hasAttribute("data-drawn")) morphChildren(node, next); // else a script draws what is in it
}
