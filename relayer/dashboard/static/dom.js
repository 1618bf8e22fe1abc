// Trees of elements, and bringing the page into the shape of a new tree. Text is only ever text: no markup is made
// of strings, which the page's policy forbids anyway.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "path", "line", "circle", "rect", "text", "title"]);
const USERS = new Set(["open", "value"]); // attributes that belong to the reader once they are there

/** An element. attrs: attributes; `style` is an object; null and false leave an attribute out. */
export function h(tag, attrs, ...children) {
  const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") {
      for (const [property, setting] of Object.entries(value)) node.style.setProperty(property, setting);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Change `old` into `next` with as few changes as it takes, so that focus, open details and inputs stay. */
export function morph(old, next) {
  const focused = document.activeElement;
  const result = change(old, next);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  return result;
}

function change(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || key(old) !== key(next)) {
    old.replaceWith(next);
    return next;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return old;
  }
  attributes(old, next);
  children(old, next);
  return old;
}

function key(node) {
  return node.dataset?.key;
}

function attributes(old, next) {
  if (old.style && old.style.cssText !== next.style.cssText) old.style.cssText = next.style.cssText;
  for (const { name } of [...old.attributes]) {
    if (name !== "style" && !USERS.has(name) && !next.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name === "style" || (USERS.has(name) && old.tagName !== "PROGRESS")) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function children(old, next) {
  const known = new Map([...old.childNodes].filter(key).map((child) => [key(child), child]));
  let place = old.firstChild;
  for (const wanted of [...next.childNodes]) {
    const name = key(wanted);
    const match = name ? known.get(name) : place && !key(place) ? place : null;
    if (!match) {
      old.insertBefore(wanted, place);
      continue;
    }
    if (match !== place) old.insertBefore(match, place);
    place = change(match, wanted).nextSibling;
  }
  while (place) {
    const rest = place.nextSibling;
    place.remove();
    place = rest;
  }
}

/** Tell a screen reader what happened. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}
