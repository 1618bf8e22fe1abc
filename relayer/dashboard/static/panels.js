// Everything on the page but the deals.

import { h } from "./dom.js";
import { amount, away, period, shorten, span } from "./format.js";
import { countdown, panel, pill, reference, request, table } from "./parts.js";

/** Who we are and how we are. */
export function head(state, now) {
  const { board, lost } = state;
  const wrong = board.checks.filter((check) => !check.well);
  const well = lost ? pill("bad", "no connection") : board.ready ? pill("good", "ready") : pill("bad", board.live ? "not ready" : "not live");
  return h(
    "header",
    { class: "top", "data-key": "top" },
    h("h1", {}, "Strikelock"),
    h("div", { class: "who" }, well, reference(board.identity, null, "our identity")),
    h("button", { type: "button", "data-do": "theme" }, `Theme: ${state.theme}`),
    lost && h("p", { class: "trouble", role: "alert" }, `What is shown is ${span(now - board.now)} old: ${lost}.`),
    !lost && wrong.map((check) => h("p", { class: "trouble" }, h("b", {}, check.name), ` · ${check.detail}`)),
  );
}

/** Chains, and what our wallets hold on them. */
export function chainsPanel(state, now) {
  const { board } = state;
  const aged = now - board.now;
  const cards = board.chains.map((chain) =>
    h(
      "article",
      { class: "chain", "data-key": chain.name, "aria-label": `Chain ${chain.name}` },
      h("header", {}, h("h3", {}, chain.name), chain.well ? pill("good", "seen") : pill("bad", "not well")),
      !chain.well && h("p", { class: "trouble" }, chain.detail),
      h(
        "dl",
        {},
        entry("block", chain.height === null ? "–" : chain.height.toLocaleString("en")),
        entry("age", chain.age === null ? "–" : `${span(chain.age + aged)} (stale after ${period(chain.stale_after)})`),
        entry("its clock", chain.clock === null ? "–" : away(chain.clock, now)),
        entry("our pending", String(chain.pending)),
      ),
      wallet(board, chain.name),
    ),
  );
  return panel("chains", "Chains and balances", h("div", { class: "cards" }, cards));
}

function wallet(board, chain) {
  const held = board.holdings.filter((holding) => holding.coin.startsWith(`${chain}/`));
  if (!held.length) return null;
  return h(
    "div",
    { class: "wallet" },
    h("ul", {}, held.map((holding) => h("li", {}, amount(holding.units, board.coins[holding.coin])))),
    reference(held[0].address, held[0].link, `our address on ${chain}`),
  );
}

function entry(name, value) {
  return [h("dt", {}, name), h("dd", {}, value)];
}

/** Proposals that wait for somebody. */
export function proposalsPanel(board, now) {
  if (!board.proposals.length) return null;
  const rows = board.proposals.map((proposal) => [
    shorten(proposal.id, 8, 4),
    `${proposal.protocol}, as ${proposal.role}`,
    proposal.sent ? `${proposal.state} by us` : `${proposal.state} from them`,
    proposal.peer.startsWith("http") ? proposal.peer : shorten(proposal.peer),
    countdown(proposal.until, now),
    h("div", { class: "actions" }, decisions(proposal).map((what) => request(what, proposal.id))),
  ]);
  return panel("proposals", "Proposals", table("Proposals", ["proposal", "what", "state", "peer", "ends", "decide"], rows));
}

function decisions(proposal) {
  if (proposal.sent) return proposal.state === "offered" ? ["refuse"] : [];
  return proposal.state === "received" ? ["accept", "refuse"] : [];
}

const LANE_STATES = { running: "good", paused: "warn", halted: "bad" };

/** What the relayer carries. */
export function lanesPanel(board) {
  if (board.relayer === null) {
    return panel("lanes", "Relayer", h("p", { class: "quiet" }, "This party relays no messages."));
  }
  const rows = board.relayer.lanes.map((lane) => [
    lane.name,
    `${lane.source} → ${lane.destination}`,
    [pill(LANE_STATES[lane.state], lane.state), lane.detail && ` ${lane.detail}`],
    lane.backlog.toLocaleString("en"),
    lane.oldest === null ? "–" : span(lane.oldest),
    lane.delivered.toLocaleString("en"),
  ]);
  const heads = ["lane", "from → to", "state", "backlog", "oldest waits", "delivered"];
  const none = !board.relayer.trouble && h("p", { class: "quiet" }, "No lane is configured.");
  const trouble = board.relayer.trouble && h("p", { class: "trouble" }, board.relayer.trouble);
  return panel("lanes", "Relayer", trouble, rows.length ? table("Lanes", heads, rows) : none);
}

/** Deals that are over. */
export function closedPanel(board, now) {
  if (!board.closed.length) return null;
  const rows = board.closed.map((deal) => [shorten(deal.id, 8, 4), deal.protocol, deal.role, deal.outcome, countdown(deal.agreed_at, now)]);
  return panel("closed", "Closed deals", table("Closed deals", ["deal", "protocol", "our role", "outcome", "agreed"], rows));
}
