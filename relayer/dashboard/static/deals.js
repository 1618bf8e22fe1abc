// The open deals.

import { h } from "./dom.js";
import { amount, shorten, span } from "./format.js";
import { optionPanel } from "./option.js";
import { confirmations, countdown, panel, pill, reference, request, table } from "./parts.js";
import { timeline } from "./timeline.js";

/** The panel of the open deals, the most urgent first. */
export function dealsPanel(state, now) {
  const { board } = state;
  const clocks = new Map(board.chains.map((chain) => [chain.name, chain.clock]));
  const deals = board.deals.map((deal) => dealCard(state, deal, clocks, now));
  const none = h("p", { class: "quiet" }, "No deal is open. ", h("code", {}, "strikelock deal propose"), " begins one.");
  return panel("deals", `Open deals (${board.open})`, board.open ? deals : none, pager(board));
}

function pager(board) {
  const last = board.first + board.deals.length;
  if (board.first === 0 && last >= board.open) return null;
  const button = (name, to, there) => h("button", { type: "button", "data-do": "page", "data-first": to, disabled: !there }, name);
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of deals" },
    button("← More urgent", Math.max(0, board.first - board.window), board.first > 0),
    h("span", {}, board.deals.length ? `${board.first + 1}–${last} of ${board.open}` : `none of ${board.open} is here any more`),
    button("Less urgent →", last, last < board.open),
  );
}

function dealCard(state, deal, clocks, now) {
  const title = `deal-${deal.id}`;
  return h(
    "article",
    { class: "deal", "data-key": deal.id, "aria-labelledby": title },
    h(
      "header",
      {},
      h("h3", { id: title }, `${deal.kind ? `${deal.kind} ` : ""}${deal.protocol} `, h("small", {}, shorten(deal.id, 8, 4))),
      pill("quiet", `we are the ${deal.role}`),
      deal.limited && pill("warn", "restored: claims and refunds only"),
      deal.will.map((wish) => pill("quiet", WISHES[wish])),
      due(deal),
    ),
    deal.troubles.map((trouble) => h("p", { class: "trouble", role: "alert" }, trouble)),
    timeline(deal, clocks, now),
    legs(state.board, deal),
    h("div", { class: "columns" }, steps(state.board, deal, now), deadlines(deal, now)),
    actions(deal),
    transactions(deal),
    deal.option && optionPanel(state, deal),
  );
}

const WISHES = { exercise: "exercise is wanted", let_go: "early release is wanted", stop: "stopping" };

function actions(deal) {
  if (!deal.may.length) return null;
  return h("div", { class: "actions" }, deal.may.map((wish) => request(wish, deal.id)));
}

function due(deal) {
  if (deal.margin === null) return null;
  return pill(deal.margin < 300 ? "bad" : "warn", `${span(deal.margin)} left for our transaction`);
}

function legs(board, deal) {
  const rows = deal.legs.map((leg) => [
    leg.name,
    amount(leg.units, board.coins[leg.coin]),
    leg.chain,
    reference(leg.address, leg.link, `the address of leg ${leg.name}`),
    legState(leg, board.coins[leg.coin]),
    leg.state === "absent" ? "–" : confirmations(leg.depth, leg.need),
  ]);
  return table("Legs", ["leg", "amount", "chain", "address", "state", "confirmations"], rows);
}

function legState(leg, coin) {
  if (leg.state === "spent") return pill("quiet", `spent by ${leg.path}`);
  if (leg.state === "funded") return pill(leg.depth >= leg.need ? "good" : "warn", "funded");
  return pill("quiet", leg.held === "0" ? `not there; from the ${leg.funder}` : `only ${amount(leg.held, coin)} is there`);
}

function steps(board, deal, now) {
  const items = deal.steps.map((step) =>
    h("li", {}, h("b", {}, step.who === deal.role ? "we" : `the ${step.who}`), ` · ${readable(step.text, board.coins)}`, step.by !== null && [" · ", countdown(step.by, now)]),
  );
  return h("div", {}, h("h4", {}, "What happens next"), h("ol", { class: "steps" }, items));
}

/** A sentence of the party with its amounts in whole coins: "6000000000 0xe7f… on evm" is "6,000 TEST on evm". */
function readable(text, coins) {
  return text.replace(/(\d+) (\S+) on ([a-z0-9._-]+)/g, (said, units, asset, chain) => {
    const coin = coins[`${chain}/${asset}`];
    return coin ? `${amount(units, coin)} on ${chain}` : said;
  });
}

function deadlines(deal, now) {
  const items = deal.deadlines.map((deadline) =>
    h("li", {}, h("b", {}, deadline.name), ` · ${deadline.text} `, countdown(deadline.at, now, deadline.over)),
  );
  return h("div", {}, h("h4", {}, "Deadlines"), h("ul", { class: "deadlines" }, items));
}

function transactions(deal) {
  if (!deal.transactions.length) return null;
  const rows = deal.transactions.map((tx) => [
    `${tx.leg}, ${tx.step}`,
    tx.chain,
    reference(tx.txid, tx.link, `the transaction of ${tx.leg}, ${tx.step}`),
    tx.phase,
    tx.depth ? confirmations(tx.depth, tx.need) : "–",
  ]);
  return h(
    "details",
    { "data-key": `transactions-${deal.id}` },
    h("summary", {}, `Transactions we signed (${rows.length})`),
    table("Transactions we signed", ["step", "chain", "transaction", "phase", "confirmations"], rows),
  );
}
