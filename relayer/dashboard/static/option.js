// An option of a deal: payoff, worth and Greeks at a market that the reader names.

import { h } from "./dom.js";
import { number, symbol } from "./format.js";

const WIDE = 420;
const HIGH = 250;
const LABEL = 70; // between two prices that are written below
const PAD = { left: 58, right: 22, top: 12, bottom: 34 };

const GREEKS = [
  ["value", "value", "money"],
  ["delta", "delta", "underlying"],
  ["gamma", "gamma", "gamma"],
  ["vega", "vega, per point of volatility", "money"],
  ["theta", "theta, per day", "money"],
  ["rho", "rho, per point of rate", "money"],
];

/** The panel of a deal's option; its profile is fetched when it is opened. */
export function optionPanel(state, deal) {
  const { profile, error, at } = state.profiles.get(deal.id) ?? {};
  return h(
    "details",
    { "data-key": `option-${deal.id}`, "data-option": deal.id },
    h("summary", {}, "Payoff and Greeks"),
    error && h("p", { class: "trouble" }, error),
    profile && [market(state, deal, profile), h("div", { class: "columns" }, picture(state, deal, profile, at), greeks(state, profile))],
  );
}

function market(state, deal, profile) {
  const known = state.market(profile);
  const field = (name, label, value, step) =>
    h(
      "label",
      {},
      `${label} `,
      h("input", { type: "number", inputmode: "decimal", min: step, step: "any", value, "data-market": name, "data-deal": deal.id, autocomplete: "off" }),
    );
  const money = symbol(state.board.coins[profile.money]);
  const underlying = symbol(state.board.coins[profile.underlying]);
  return h(
    "div",
    { class: "market" },
    field("spot", `Spot, ${money} for one ${underlying}`, known.spot ?? "", 0),
    field("vol", "Volatility, % per year", known.vol ?? "", 0.01),
  );
}

function greeks(state, profile) {
  const coin = { money: symbol(state.board.coins[profile.money]), underlying: symbol(state.board.coins[profile.underlying]) };
  coin.gamma = `${coin.underlying} per ${coin.money}`;
  const rows = [
    ["side", `${profile.side} ${profile.kind}`],
    ["size", `${number(profile.size)} ${coin.underlying}`],
    ["strike", `${number(profile.strike)} ${coin.money}`],
    ["premium", `${number(profile.premium)} ${symbol(state.board.coins[profile.premium_coin])}${profile.counted ? "" : ", not counted"}`],
    ["break-even", profile.breakeven === null ? "–" : `${number(profile.breakeven)} ${coin.money}`],
    ...GREEKS.filter(([name]) => profile[name] !== null).map(([name, label, unit]) => [label, `${number(profile[name], true)} ${coin[unit] ?? ""}`]),
  ];
  const hint = profile.value === null && h("p", { class: "quiet" }, profile.years > 0 ? "Spot and volatility give today's value and the Greeks." : "It is past its expiry.");
  return h("div", {}, h("dl", { class: "greeks" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])), hint);
}

function picture(state, deal, profile, at) {
  const { points } = profile;
  const coin = symbol(state.board.coins[profile.money]);
  const chosen = points[Math.min(at ?? Math.floor(points.length / 2), points.length - 1)];
  const reading = `at ${number(chosen.spot)}: ${number(chosen.expiry, true)} at expiry${chosen.today === null ? "" : `, ${number(chosen.today, true)} today`} (${coin})`;
  const slider = h("input", { type: "range", min: 0, max: points.length - 1, step: 1, value: points.indexOf(chosen), "data-reading": deal.id, "aria-valuetext": reading });
  return h(
    "figure",
    { class: "payoff" },
    chart(profile, chosen),
    h("figcaption", {}, h("span", { class: "key expiry" }, "at expiry"), points[0].today !== null && h("span", { class: "key today" }, "today")),
    h("label", {}, "Read off at a price ", slider),
    h("output", {}, reading),
  );
}

function chart(profile, chosen) {
  const { points } = profile;
  const values = points.flatMap((point) => (point.today === null ? [point.expiry] : [point.expiry, point.today]));
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const room = (high - low || 1) * 0.08;
  const x = scale(points[0].spot, points.at(-1).spot, PAD.left, WIDE - PAD.right);
  const y = scale(low - room, high + room, HIGH - PAD.bottom, PAD.top);
  const line = (name) => points.map((point, at) => `${at ? "L" : "M"}${x(point.spot).toFixed(1)} ${y(point[name]).toFixed(1)}`).join("");
  const upright = (price, kind) => h("line", { class: kind, x1: x(price), x2: x(price), y1: PAD.top, y2: HIGH - PAD.bottom });
  const label = (price, text) => h("text", { x: x(price), y: HIGH - PAD.bottom + 15, "text-anchor": "middle" }, text);
  const side = (value) => h("text", { x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, compact(value));
  return h(
    "svg",
    { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `Profit of the ${profile.side} ${profile.kind} against the price; strike ${number(profile.strike)}` },
    h("line", { class: "zero", x1: PAD.left, x2: WIDE - PAD.right, y1: y(0), y2: y(0) }),
    upright(profile.strike, "strike"),
    upright(chosen.spot, "reading"),
    h("path", { class: "expiry", d: line("expiry") }),
    points[0].today !== null && h("path", { class: "today", d: line("today") }),
    h("circle", { class: "expiry", cx: x(chosen.spot), cy: y(chosen.expiry), r: 3.5 }),
    sides(low, high).map(side),
    label(profile.strike, `strike ${compact(profile.strike)}`),
    [points[0].spot, points.at(-1).spot].filter((end) => Math.abs(x(end) - x(profile.strike)) > LABEL).map((end) => label(end, compact(end))),
  );
}

/** The profits that are written at the side: the least, none and the most, unless they would stand on each other. */
function sides(low, high) {
  const apart = (value) => value === 0 || Math.abs(value) > (high - low) * 0.08;
  return [...new Set([low, 0, high])].filter(apart);
}

function scale(from, to, start, end) {
  return (value) => start + ((value - from) / (to - from || 1)) * (end - start);
}

function compact(value) {
  return value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
}
