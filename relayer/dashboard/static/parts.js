// Small things that several panels show.

import { h } from "./dom.js";
import { away, moment, shorten } from "./format.js";
import { REQUESTS } from "./steer.js";

/** A word with a state. kind: good, warn, bad or quiet; the word says the same as the colour. */
export function pill(kind, text) {
  return h("span", { class: `pill ${kind}` }, text);
}

/** An address or a transaction id: a link where an explorer is configured, and a button that copies it. */
export function reference(text, link, what) {
  const short = shorten(text);
  const shown = link
    ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer", title: text }, short)
    : h("span", { title: text }, short);
  const label = `Copy ${what}`;
  const copy = h("button", { type: "button", class: "copy", "data-do": "copy", "data-text": text, "aria-label": label, title: label }, copyIcon());
  return h("span", { class: "reference" }, shown, copy);
}

function copyIcon() {
  return h(
    "svg",
    { viewBox: "0 0 16 16", "aria-hidden": "true" },
    h("rect", { x: 5.5, y: 5.5, width: 8, height: 8, rx: 1.5 }),
    h("path", { d: "M10.5 5.5v-1.5a1.5 1.5 0 0 0-1.5-1.5h-5a1.5 1.5 0 0 0-1.5 1.5v5a1.5 1.5 0 0 0 1.5 1.5h1.5" }),
  );
}

/** A button that asks the party for something. what: a key of REQUESTS; id: of the deal or proposal. */
export function request(what, id) {
  return h("button", { type: "button", "data-do": "ask", "data-what": what, "data-id": id }, REQUESTS[what][0]);
}

/** A moment that counts down. over: nothing hangs on it any more. */
export function countdown(at, now, over = false) {
  if (over) return h("span", { class: "quiet" }, "· over");
  const left = at - now;
  const kind = left <= 0 ? "passed" : left < 300 ? "near" : "";
  return h("time", { class: `countdown ${kind}`, datetime: new Date(at * 1000).toISOString(), title: moment(at) }, away(at, now));
}

/** A panel of the page. */
export function panel(id, title, ...content) {
  return h("section", { id, "data-key": id, "aria-labelledby": `${id}-title`, tabindex: "-1" }, h("h2", { id: `${id}-title` }, title), ...content);
}

/** A table that becomes a list of cards where there is no room. head: column names; rows: arrays of cells, the first
 * of which names the row. */
export function table(caption, head, rows) {
  const cells = (row) => row.map((cell, at) => (at ? h("td", { "data-label": head[at] }, cell) : h("th", { scope: "row" }, cell)));
  return h(
    "table",
    {},
    h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
  );
}

/** Confirmations as a fraction of what makes them final. */
export function confirmations(depth, need) {
  const shown = Math.min(depth, need);
  const text = depth >= need ? `final, ${depth} deep` : `${depth} of ${need}`;
  return h("span", { class: "depth" }, h("progress", { value: shown, max: need, "aria-label": "confirmations" }), ` ${text}`);
}
