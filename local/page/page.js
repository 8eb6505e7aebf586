// A landing page on top of connect.js: one connection on the stage, the others in a list.

import { Connect } from "./connect.js"; // first: it takes a login that landed out of the address
import { WORDS } from "./words.js";

const LONG = { loading: 8, connecting: 12, processing: 30 }; // seconds; then a state takes longer than usual
const FRESH = 5; // seconds for which a look at the connections is enough
const ICONS = { ready: "check", start: "bank", failed: "cross", gone: "cross", refused: "cross" }; // else "alert"
const PROBLEMS = { 401: "signed_out", 403: "signed_out", 404: "gone", 410: "gone" };

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const language = (asked.get("lang") ?? navigator.language).startsWith("fr") ? "fr" : "en";
const words = WORDS[language];
const known = new Map(); // connections by id
let onStage; // the id of one
let goOn; // what the button does
let patience; // the timer that runs out when a state takes long
let looked = 0; // when

function show(state, connection, act = () => start(connection)) {
  const [title, sentence, button = connection?.action === "reconnect" ? words.reconnect : "", slow] = words.states[state];
  const before = document.activeElement;
  const left = find("stage").dataset.state === "connecting" && before === document.body; // was in the iframe
  find("stage").dataset.state = state;
  find("stage").toggleAttribute("data-opening", state === "connecting");
  find("mark").querySelector("use").setAttribute("href", `#i-${ICONS[state] ?? "alert"}`);
  find("bank").hidden = !connection;
  if (connection) {
    find("bank-name").textContent = bankOf(connection);
    label(find("pill"), connection);
  }
  entitle(title);
  say(`${connection?.message[language] ?? ""} ${sentence}`.trim());
  find("facts").textContent = connection ? facts(connection) : "";
  find("act").textContent = button;
  find("act").hidden = !button;
  find("another").hidden = !["processing", "action_required", "failed", "gone"].includes(state);
  find("another").className = button || state === "processing" ? "quiet" : "";
  find("cancel").hidden = state !== "connecting";
  goOn = act;
  clearTimeout(patience);
  if (slow) patience = setTimeout(() => say(slow), LONG[state] * 1000);
  if (left || !before.checkVisibility()) find("title").focus(); // what had the focus is gone
}

function entitle(title) {
  find("title").textContent = document.title = title;
}

function say(sentence) {
  if (find("sentence").textContent !== sentence) find("sentence").textContent = sentence; // a live region: say it once
}

function showStep(step) {
  if (find("stage").dataset.state !== "connecting") return;
  if (step !== "APP_MOUNTED") find("stage").removeAttribute("data-opening");
  if (!words.steps[step]) return;
  clearTimeout(patience);
  entitle(words.steps[step]);
  say(words.inside);
}

function bankOf({ institution }) {
  return institution?.replace(/([a-z])([A-Z])/g, "$1 $2") ?? words.bank;
}

function label(pill, { status }) {
  pill.textContent = words.status[status];
  pill.dataset.status = status;
  return pill;
}

function facts({ accounts, action, connectionId, updatedAt }) {
  const time = new Date(updatedAt).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  const parts = [words.updated.replace("{0}", time)];
  if (accounts) parts.unshift(words.accounts[accounts === 1 ? 0 : 1].replace("{0}", accounts));
  if (action === "contact_support") parts.unshift(words.reference.replace("{0}", connectionId));
  return parts.join(" · ");
}

function showConnection(connection) {
  onStage = connection.connectionId;
  show(connection.status === "deleting" ? "gone" : connection.status, connection);
  showOthers();
}

function showOthers() {
  const others = [...known.values()].filter((each) => each.connectionId !== onStage);
  others.sort((one, other) => bankOf(one).localeCompare(bankOf(other), language));
  find("others").hidden = others.length === 0;
  find("list").replaceChildren(...others.map((each) => {
    const name = make("strong", {}, bankOf(each));
    const pill = label(make("span", { className: "pill" }), each);
    const about = make("div", { className: "about" }, name, " ", pill, make("small", {}, facts(each)));
    const initial = make("span", { className: "initial", ariaHidden: "true" }, bankOf(each)[0].toUpperCase());
    if (each.action !== "reconnect") return make("li", {}, initial, about);
    const button = make("button", { type: "button", className: "quiet", onclick: () => start(each) }, words.reconnect);
    button.setAttribute("aria-label", `${words.reconnect}: ${bankOf(each)}`);
    return make("li", {}, initial, about, button);
  }));
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function showProblem({ problem: { type, status }, retry }) {
  const again = async () => {
    show("loading");
    await retry();
    settle();
  };
  if (type.endsWith(":offline")) show("offline", undefined, again);
  else if (PROBLEMS[status]) show(PROBLEMS[status], undefined, again);
  else if (status === 0 || status === 429 || status >= 500) show("unavailable", undefined, again);
  else show("refused", undefined, () => start());
}

// On the stage comes what is being worked on, or else what changed last; but a problem, or Connect, stays there.
function settle() {
  if (!["loading", "start"].includes(find("stage").dataset.state) || room.firstChild) return;
  const living = [...known.values()].filter((each) => each.status !== "deleting");
  const newest = living.sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
  const first = newest.find((each) => each.status === "processing") ?? newest[0];
  if (first) showConnection(first);
  else show("start");
}

async function look() {
  looked = Date.now();
  await connect.resume();
  settle();
}

function start(connection) {
  onStage = undefined;
  show("connecting");
  showOthers();
  connect.open(connection?.action === "reconnect" ? { reconnect: connection } : undefined);
}

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = words[element.dataset.label];
show("loading");

const { apiUrl, people, version } = await (await fetch("config.json")).json();
document.querySelector(".tag").append(` ${version}`);
const person = people.includes(asked.get("as")) ? asked.get("as") : people[0];
const room = find("connect");
const connect = new Connect(room, {
  apiUrl,
  session: { language, selectAccounts: true },
  getToken: async () => (await fetch(`token?as=${person}`)).text(), // yours: ask your own backend
});

room.addEventListener("connect:step", ({ detail: { step } }) => {
  if (step === "REDIRECT") show("processing");
  else if (step === "APP_MOUNTED") show("connecting"); // perhaps after a problem
  else showStep(step);
});
room.addEventListener("connect:closed", () => showRest());
room.addEventListener("connect:error", ({ detail }) => showProblem(detail));
room.addEventListener("connection:status", ({ detail: connection }) => {
  const isNew = find("stage").dataset.state === "processing" && onStage === undefined;
  known.set(connection.connectionId, connection);
  if (isNew || connection.connectionId === onStage) showConnection(connection);
  else showOthers();
});

function showRest() { // after Connect: the start, or what there is
  show("start");
  settle();
}

find("act").addEventListener("click", () => goOn());
find("another").textContent = words.another;
find("another").addEventListener("click", () => start());
find("cancel").textContent = words.cancel;
find("cancel").addEventListener("click", () => {
  connect.cancel();
  showRest();
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

// Who comes back to this tab sees what has become of her connections.
const isStale = () => !document.hidden && !room.firstChild && Date.now() - looked > FRESH * 1000;
document.addEventListener("visibilitychange", () => isStale() && look());
addEventListener("online", () => find("stage").dataset.state === "offline" && goOn());
addEventListener("pageshow", ({ persisted }) => persisted && look());
await look();
