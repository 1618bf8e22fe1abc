// The page: what is known, what it looks like, what the reader does.

import { dealsPanel } from "./deals.js";
import { announce, h, morph } from "./dom.js";
import { Feed, get } from "./feed.js";
import { shorten } from "./format.js";
import { chainsPanel, closedPanel, head, lanesPanel, proposalsPanel } from "./panels.js";
import { ask, cancel, confirm } from "./steer.js";

const THEMES = ["auto", "light", "dark"];
const PROFILE_AGE = 5_000; // ms after which an open profile is fetched again
const TYPING = 400; // ms of no typing after which a market is asked for

const state = {
  board: null,
  received: 0, // our clock when the board came, ms
  lost: null, // why there is no connection, in words
  theme: localStorage.getItem("theme") ?? "auto",
  profiles: new Map(), // by deal: {profile, error, at, fetched}
  market(profile) {
    return JSON.parse(localStorage.getItem(`market ${profile.underlying} ${profile.money}`) ?? "{}");
  },
};

// --- drawing

let page = document.getElementById("page");

function draw() {
  document.documentElement.dataset.theme = state.theme;
  if (!state.board) return;
  const now = state.board.now + (Date.now() - state.received) / 1000;
  const { board } = state;
  const next = h(
    "div",
    { id: "page" },
    head(state, now),
    h(
      "main",
      { "data-key": "main" },
      dealsPanel(state, now),
      proposalsPanel(board, now),
      chainsPanel(state, now),
      lanesPanel(board),
      closedPanel(board, now),
    ),
    h("footer", { "data-key": "footer" }, `Strikelock ${board.version}. Times are those of the party's machine.`),
  );
  page = morph(page, next);
  document.title = `${board.ready && !state.lost ? "" : "⚠ "}${board.open} open · Strikelock`;
}

// --- what comes in

function takeBoard(board) {
  if (state.board) tell(state.board, board);
  state.board = board;
  state.received = Date.now();
  state.lost = null;
  for (const details of document.querySelectorAll("details[data-option][open]")) loadProfile(details.dataset.option);
  draw();
}

function lose(words) {
  if (!state.lost) announce(`No connection: ${words}`);
  state.lost = words;
  draw();
}

/** Say what changed to those who can't see it. */
function tell(before, after) {
  const news = [];
  const known = new Map(before.deals.map((deal) => [deal.id, deal]));
  for (const deal of after.deals) {
    const old = known.get(deal.id);
    if (!old) {
      news.push(`deal ${shorten(deal.id, 8, 4)} is there`);
      continue;
    }
    deal.legs.forEach((leg, at) => {
      if (leg.state !== old.legs[at].state) news.push(`${leg.name} of deal ${shorten(deal.id, 8, 4)} is ${leg.state}`);
    });
    deal.troubles.filter((trouble) => !old.troubles.includes(trouble)).forEach((trouble) => news.push(trouble));
  }
  if (before.ready !== after.ready) news.push(after.ready ? "the party is ready" : "the party is not ready");
  if (news.length) announce(news.join("; "));
}

async function loadProfile(deal, force = false) {
  const known = state.profiles.get(deal) ?? { profile: null, error: null, at: null, fetched: 0 };
  if (!force && Date.now() - known.fetched < PROFILE_AGE) return;
  state.profiles.set(deal, { ...known, fetched: Date.now() });
  const { spot, vol } = known.profile ? state.market(known.profile) : {};
  const query = spot && vol ? `?${new URLSearchParams({ spot, vol: vol / 100 })}` : "";
  try {
    const profile = await get(`/board/options/${deal}${query}`);
    state.profiles.set(deal, { ...state.profiles.get(deal), profile, error: null });
    if (!known.profile && state.market(profile).spot) await loadProfile(deal, true); // now we know which market it is
  } catch (error) {
    state.profiles.set(deal, { ...state.profiles.get(deal), error: error.message });
  }
  draw();
}

// --- what the reader does

const feed = new Feed(takeBoard, lose);

const DEEDS = {
  cancel,
  confirm,
  ask(button) {
    ask(button.dataset.what, button.dataset.id);
  },
  theme() {
    state.theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
    localStorage.setItem("theme", state.theme);
    draw();
  },
  page(button) {
    feed.follow(Number(button.dataset.first));
    document.getElementById("deals").focus();
  },
  async copy(button) {
    await navigator.clipboard.writeText(button.dataset.text);
    announce("copied");
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) DEEDS[button.dataset.do](button);
});

document.addEventListener(
  "toggle",
  (event) => {
    const deal = event.target.dataset.option;
    if (deal && event.target.open) loadProfile(deal);
  },
  true, // it does not bubble
);

let typing = 0;
document.addEventListener("input", (event) => {
  const { market, deal, reading } = event.target.dataset;
  if (reading) {
    state.profiles.set(reading, { ...state.profiles.get(reading), at: Number(event.target.value) });
    draw();
  } else if (market) {
    const { profile } = state.profiles.get(deal);
    const name = `market ${profile.underlying} ${profile.money}`;
    localStorage.setItem(name, JSON.stringify({ ...state.market(profile), [market]: Number(event.target.value) }));
    clearTimeout(typing);
    typing = setTimeout(() => loadProfile(deal, true), TYPING);
  }
});

setInterval(() => document.hidden || draw(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || draw());
draw();
feed.follow(0);
