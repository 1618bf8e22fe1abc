// A deal in time: a row for each chain, on it a bar for each leg from the agreement to the time its money may go back,
// the deadlines, and where the chain's own clock stands.

import { h } from "./dom.js";
import { away, moment } from "./format.js";

const MARGIN = 0.04; // of the whole span, to the right of the last deadline

/** The picture, and what it says in words. clocks: by chain; now: ours. */
export function timeline(deal, clocks, now) {
  const start = deal.agreed_at;
  const last = Math.max(...deal.deadlines.map((deadline) => deadline.at));
  const end = last + (last - start) * MARGIN;
  const place = (time) => `${(100 * Math.min(1, Math.max(0, (time - start) / (end - start)))).toFixed(2)}%`;
  const chains = [...new Set(deal.legs.map((leg) => leg.chain))];
  const words = deal.deadlines.map((deadline) => `${deadline.text} ${away(deadline.at, now)}`).join("; ");
  return h(
    "div",
    { class: "timeline", role: "img", "aria-label": `Timeline: ${words}` },
    chains.map((chain) => row(deal, chain, clocks.get(chain) ?? null, now, place)),
    h("p", { class: "legend" }, KEYS.map(([kind, text]) => h("span", {}, h("i", { class: kind }), text))),
  );
}

const KEYS = [
  ["now", "now"],
  ["clock", "the chain's clock"],
  ["tick", "deadlines"],
];

function row(deal, chain, clock, now, place) {
  return h(
    "div",
    { class: "lane", "data-key": chain },
    h("span", { class: "lane-name" }, chain),
    h(
      "div",
      { class: "track" },
      deal.legs.filter((leg) => leg.chain === chain).map((leg) => bar(deal, leg, place)),
      deal.deadlines.filter((deadline) => deadline.chain === chain).map((deadline) => tick(deadline, now, place)),
      clock !== null && h("i", { class: "clock", style: { left: place(clock) }, title: `the chain's clock: ${moment(clock)}` }),
      h("i", { class: "now", style: { left: place(now) }, title: `now: ${moment(now)}` }),
    ),
  );
}

function bar(deal, leg, place) {
  const final = leg.depth >= leg.need ? "final" : "shallow";
  const state = leg.state === "spent" ? `spent by ${leg.path}` : leg.state;
  const span = { "margin-left": place(deal.agreed_at), width: leg.until === null ? "100%" : place(leg.until) };
  return h("div", { class: `bar ${leg.state} ${final}`, style: span }, h("span", {}, `${leg.name} · ${state}`));
}

function tick(deadline, now, place) {
  const over = deadline.over || deadline.at <= now ? "over" : "";
  return h("i", { class: `tick ${over}`, style: { left: place(deadline.at) }, title: `${deadline.text}: ${moment(deadline.at)}` });
}
