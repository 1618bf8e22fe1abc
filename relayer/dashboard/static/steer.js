// What the reader may ask the party for. Each request is confirmed, and shows the token of the party's page.

import { announce } from "./dom.js";

const TOKEN = "token"; // in the session's storage: gone when the tab is closed

/** What can be asked for: the words of the button, and what it means. */
export const REQUESTS = {
  exercise: ["Exercise", "The party exercises as soon as it is safe, and at the latest by expiry. It can't be taken back once it is on the chain."],
  let_go: ["Release early", "Money that its other party needs no more goes back early, ours and theirs. The option can't be used after that."],
  stop: ["Stop", "The party funds and reveals nothing more, and takes its money back as soon as its time has come."],
  accept: ["Accept", "The party enters the deal and funds its legs as the terms say."],
  refuse: ["Refuse", "The proposal is declined, or withdrawn if it is ours."],
};

const dialog = document.getElementById("ask");
const part = (name) => document.getElementById(`ask-${name}`);
let asked = null; // {path, body}

/** Ask the reader to confirm a request. what: a key of REQUESTS; id: of the deal or proposal. */
export function ask(what, id) {
  const [title, meaning] = REQUESTS[what];
  const decision = what === "accept" || what === "refuse";
  asked = decision
    ? { path: `/board/proposals/${id}`, body: { decision: what }, title }
    : { path: `/board/deals/${id}/will`, body: { wish: what }, title };
  part("title").textContent = `${title}?`;
  part("meaning").textContent = meaning;
  part("subject").textContent = id;
  part("confirm").textContent = title;
  part("token").value = sessionStorage.getItem(TOKEN) ?? "";
  part("error").textContent = "";
  dialog.showModal();
  (part("token").value ? part("cancel") : part("token")).focus();
}

/** Close without asking for anything. */
export function cancel() {
  dialog.close();
}

/** Send what was confirmed. */
export async function confirm() {
  const token = part("token").value.trim();
  part("confirm").disabled = true;
  try {
    const answer = await fetch(asked.path, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify(asked.body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    sessionStorage.setItem(TOKEN, token);
    dialog.close();
    announce(`${asked.title}: the party knows`);
  } catch (error) {
    part("error").textContent = error.message;
  } finally {
    part("confirm").disabled = false;
  }
}

part("token").addEventListener("keydown", (event) => event.key === "Enter" && confirm());
