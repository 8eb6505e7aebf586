// A landing page on top of connect.js: one connection on the stage, the others in a list.

import { Connect } from "./connect.js"; // first: it takes a login that landed out of the address
import { WORDS } from "./words.js";

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const language = (asked.get("lang") ?? navigator.language).startsWith("fr") ? "fr" : "en";
const words = WORDS[language];
const ERASED = ["deleting", "deleted"];
const known = new Map(); // connections by id
let onStage; // the id of one
let goOn; // what the button does

function show(state, connection, act = start) {
  const [title, sentence, button = connection?.action === "reconnect" ? words.reconnect : ""] = words.states[state];
  const before = document.activeElement;
  const left = find("stage").dataset.state === "connecting" && before === document.body; // was in the iframe
  find("stage").dataset.state = state;
  find("title").textContent = document.title = title;
  const said = `${connection?.message[language] ?? ""} ${sentence}`.trim();
  if (find("sentence").textContent !== said) find("sentence").textContent = said; // a live region: say it once
  find("facts").textContent = connection ? facts(connection) : "";
  find("act").textContent = button;
  find("act").hidden = !button;
  find("cancel").hidden = state !== "connecting";
  goOn = act;
  if (left || !before.checkVisibility()) find("title").focus(); // what had the focus is gone
}

function bankOf({ institution }) {
  return institution?.replace(/([a-z])([A-Z])/g, "$1 $2") ?? words.bank;
}

function facts(connection) {
  const time = new Date(connection.updatedAt).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  const parts = [bankOf(connection), words.updated.replace("{0}", time)];
  if (connection.action === "contact_support") parts.unshift(words.reference.replace("{0}", connection.connectionId));
  return parts.join(" · ");
}

function showConnection(connection) {
  onStage = connection.connectionId;
  show(ERASED.includes(connection.status) ? "gone" : connection.status, connection);
  showOthers();
}

function showOthers() {
  const others = [...known.values()].filter((each) => each.connectionId !== onStage);
  find("others").hidden = others.length === 0;
  find("list").replaceChildren(...others.map((each) => {
    const text = make("span", {}, make("strong", {}, words.status[each.status]), make("small", {}, facts(each)));
    if (each.action !== "reconnect") return make("li", {}, text);
    const button = make("button", { type: "button", className: "quiet", onclick: start }, words.reconnect);
    button.setAttribute("aria-label", `${words.reconnect}: ${bankOf(each)}`);
    return make("li", {}, text, button);
  }));
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function showProblem({ problem, retry }) {
  const { status } = problem;
  const again = async () => {
    show("loading");
    await retry();
    settle();
  };
  if (status === 410) show("gone");
  else if (status === 401 || status === 403) show("signed_out", undefined, again);
  else if (status === 0 || status === 429 || status >= 500) show("unavailable", undefined, again);
  else show("refused");
}

// On the stage comes what is being worked on, or else what changed last; but a problem, or Connect, stays there.
function settle() {
  if (find("stage").dataset.state !== "loading" || room.firstChild) return;
  const living = [...known.values()].filter((each) => !ERASED.includes(each.status));
  const newest = living.sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
  const first = newest.find((each) => each.status === "processing") ?? newest[0];
  if (first) showConnection(first);
  else show("start");
}

function start() {
  onStage = undefined;
  show("connecting");
  showOthers();
  connect.open();
}

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
show("loading");

const { apiUrl, people } = await (await fetch("config.json")).json();
const person = people.includes(asked.get("as")) ? asked.get("as") : people[0];
const room = find("connect");
const connect = new Connect(room, {
  apiUrl,
  session: { language, selectAccounts: true },
  getToken: async () => (await fetch(`token?as=${person}`)).text(), // yours: ask your own backend
});

room.addEventListener("connect:step", ({ detail: { step } }) => {
  if (step === "APP_MOUNTED") show("connecting");
  if (step === "REDIRECT") show("processing");
});
room.addEventListener("connect:closed", () => show("start"));
room.addEventListener("connect:error", ({ detail }) => showProblem(detail));
room.addEventListener("connection:status", ({ detail: connection }) => {
  const isNew = find("stage").dataset.state === "processing" && onStage === undefined;
  known.set(connection.connectionId, connection);
  if (isNew || connection.connectionId === onStage) showConnection(connection);
  else showOthers();
});

find("act").addEventListener("click", () => goOn());
find("cancel").textContent = words.cancel;
find("cancel").addEventListener("click", () => {
  connect.cancel();
  show("start");
});
find("person").replaceChildren(...people.map((name) => new Option(name[0].toUpperCase() + name.slice(1), name)));
find("person").value = person;
find("language").value = language;
for (const [id, name] of [["person", "as"], ["language", "lang"]]) {
  find(id).addEventListener("change", () => {
    asked.set(name, find(id).value);
    location.search = asked;
  });
}
await connect.resume();
settle();
