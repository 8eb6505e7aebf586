// Flinks Connect in an iframe, its loginId to the API, the connection's status as DOM events: see guide.md.
// The loginId is a bearer secret: it is posted, and neither stored, nor logged, nor told to the page.

/** Of this module. It is for an API of the same major version, and of this minor version or a later one. */
export const VERSION = "1.1.0";

const TRIES = 5; // of a request
const SESSIONS = 3; // in a row that Connect may refuse
const LONGEST_PAUSE = 15; // seconds between two looks at a status
const LONGEST_WAIT = 20; // seconds for an access token and an answer
const LONGEST_LABEL = 64; // characters of a bank's name
const PASSING = [0, 429, 500, 502, 503, 504]; // 0 is no answer. Every request made here is safe to repeat.
const FINAL = [400, 410, 413, 415, 422]; // of a login: no other token and no later day changes these
// What Connect needs, without the right to navigate our page: the loginId stays out of its address.
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox";

const problem = (name) => `urn:flinks-landing:problem:${name}`;
const TOLD = ["offline", "too-many-sessions", "too-many-fetches"].map(problem); // at once: waiting helps nobody
const refusal = (body) => Object.assign(new Error(body.type), { problem: body });
const unanswered = (name) => ({ status: 0, pause: 0, body: { type: problem(name) } });

// --- Logins: what Connect and landing addresses say, in any of their spellings

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PAIR = /([?&#])([^=?&#]*)=([^?&#]*)/g; // of an address: in its query, its fragment, or #/done?loginId=…
const OF_CONNECT = ["loginid", "requestid", "institution", "accountid", "tag"];
const NOTHING = ["undefined", "null", "none", "nan"]; // where a program put no value

const plain = (name) => name.toLowerCase().replace(/[_-]|s$/g, ""); // LoginId, login_id, accountIds
const decoded = (pair) => [...new URLSearchParams(pair)][0];
const pairsIn = (address) => [...String(address).matchAll(PAIR)].map(([pair]) => decoded(pair.slice(1)));

/** The ids in a value of any shape (A, "A,B", ["A"], '["A"]', "{A}"), in lower case, each once. */
function idsIn(value) {
  const said = [value].flat(9).filter((each) => ["string", "number"].includes(typeof each)).join().toLowerCase();
  return [...new Set(said.split(/[\s,;|"'[\]{}()]+/))].filter((each) => each && !NOTHING.includes(each));
}

/** A REDIRECT, or a landing address as `{url}`, as POST /connections wants it; with `chosen` if it names no account. */
function readLogin(said, chosen) {
  const sources = [Object.entries(said), typeof said.url === "string" ? pairsIn(said.url) : []];
  const values = (name) => sources.map((pairs) =>
    pairs.flatMap(([each, value]) => (plain(each) === name ? [value] : [])));
  const label = values("institution").flat().find((each) => typeof each === "string" && each);
  const kept = [...(label ?? "").replace(/\p{Surrogate}|\ufffd/gu, "")].slice(0, LONGEST_LABEL).join(""); // else: 400
  return {
    loginId: values("loginid").flatMap(idsIn).find((each) => GUID.test(each)),
    institution: kept || undefined,
    accountIds: [...values("accountid"), chosen].map(idsIn).find((ids) => ids.length),
  };
}

function read(message) { // an object, or JSON where Connect was told to stringify
  try { return (typeof message === "string" ? JSON.parse(message) : message) ?? {}; } catch { return {}; }
}

// --- Logins at hand: in memory until their POST was answered, whoever is closed or made anew in the meantime

const unposted = new Map(); // by loginId: {login, whose: a Connect, or null for whoever resumes, sent: its POST}
const resumed = new Set(); // each Connect of this page that takes up what lands

function keep(login, whose) {
  const kept = { login, whose };
  unposted.set(login.loginId, kept);
  return kept;
}

/** A login that landed in the address leaves it, and the history, before anything else here runs. */
function takeLanded() {
  const { href } = location;
  if (!pairsIn(href).some(([name]) => plain(name) === "loginid")) return;
  const isOurs = (pair) => OF_CONNECT.includes(plain(decoded(pair.slice(1))[0]));
  const clean = href.replace(PAIR, (pair, mark) => (isOurs(pair) ? mark : pair))
    .replace(/([?&#])&+/g, "$1").replace(/[?&]+(?=[?#]|$)/g, "").replace(/#$/, "");
  history.replaceState(history.state, "", clean);
  const login = readLogin({ url: href });
  if (!login.loginId) return;
  keep(login, null);
  for (const connect of resumed) connect.resume();
}

if (globalThis.document) { // this module may be imported where there is no page
  takeLanded();
  for (const name of ["hashchange", "popstate", "pageshow"]) addEventListener(name, takeLanded);
}

const rest = (seconds, signal) => new Promise((resolve, reject) => {
  setTimeout(resolve, seconds * 1000);
  signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
});

/** Fires its events on `element`, which also holds the iframe. `options`: apiUrl, getToken, session (the usual one). */
export class Connect {
  #element; #options;
  #life = new AbortController(); // of everything
  #walk = new AbortController(); // of the iframe
  #followed = new Set();
  constructor(element, options) {
    this.#element = element;
    this.#options = { session: {}, ...options, apiUrl: options.apiUrl.replace(/\/+$/, "") };
  }

  /** Lets the person connect. `session` is what POST /connect-sessions takes, or `{reconnect: connection}`. */
  open = (session) => this.#try(() => {
    const usual = this.#options.session;
    const isEvent = typeof session?.preventDefault === "function"; // onclick = connect.open, a browser's or React's
    if (!session || isEvent) return this.#openSession(usual, SESSIONS);
    const { reconnect, ...wanted } = session;
    if (!reconnect) return this.#openSession(wanted, SESSIONS);
    const { language, institution, daysOfTransactions } = reconnect; // null where they are not known
    const same = Object.entries({ language, institution, daysOfTransactions }).filter(([, value]) => value);
    return this.#openSession({ ...usual, ...wanted, ...Object.fromEntries(same) }, SESSIONS);
  });

  /** For page load: posts what landed and was not posted, lists the caller's connections, and follows them. */
  resume = () => this.#try(async (life) => {
    resumed.add(this);
    for (const kept of unposted.values()) if (!kept.whose || kept.whose === this) await this.#post(kept);
    life.throwIfAborted();
    const { connections } = (await this.#ask("GET", "/connections?limit=100", undefined, life)).body;
    for (const connection of connections) {
      if (connection.status === "processing") this.#follow(connection);
      else this.#say("connection:status", connection);
    }
    return connections;
  });

  /** Takes the iframe away. What was posted goes on being followed. */
  cancel = () => this.#walk.abort();

  /** Ends everything, silently, but for the POST of a login. `open` and `resume` start anew. */
  close() {
    resumed.delete(this);
    this.cancel();
    this.#life.abort();
    this.#life = new AbortController();
  }

  async #openSession(session, tries) {
    this.cancel();
    if (tries === 0) throw refusal({ type: problem("session-refused") });
    const walk = (this.#walk = new AbortController()).signal;
    const { connectUrl } = (await this.#ask("POST", "/connect-sessions", session, walk)).body;
    const frame = Object.assign(document.createElement("iframe"), { src: connectUrl, title: "Flinks Connect" });
    frame.setAttribute("sandbox", SANDBOX);
    const kept = { language: session.language, daysOfTransactions: session.daysOfTransactions };
    let chosen; // accounts
    const hear = ({ origin, source, data }) => {
      const said = origin === new URL(connectUrl).origin && source === frame.contentWindow ? read(data) : {};
      const step = said.step ?? said.flinksCode;
      if (typeof step !== "string") return;
      const login = said.step === "REDIRECT" ? readLogin(said, chosen) : undefined;
      if (login && !login.loginId) return; // Connect goes on
      if (["REDIRECT", "TOKEN_INVALID", "COMPONENT_CLOSE_SESSION"].includes(said.step)) this.cancel(); // heard once
      if (login) this.#post(keep({ ...login, ...kept }, this)); // before anyone is told, who may close this
      this.#say("connect:step", { step });
      if (said.step === "ACCOUNT_SELECTED") chosen = readLogin(said, chosen).accountIds;
      if (said.step === "COMPONENT_CLOSE_SESSION") this.#say("connect:closed");
      if (said.step === "TOKEN_INVALID") this.#try(() => this.#openSession(session, tries - 1));
    };
    addEventListener("message", hear, { signal: walk });
    walk.addEventListener("abort", () => frame.remove());
    this.#element.append(frame);
  }

  #post = (kept) => this.#try(async (life) => {
    const forget = () => unposted.get(kept.login.loginId) === kept && unposted.delete(kept.login.loginId);
    if (unposted.get(kept.login.loginId) !== kept) return; // answered in the meantime
    kept.sent ??= this.#ask("POST", "/connections", kept.login).finally(() => { kept.sent = undefined; });
    const { body, pause } = await kept.sent.catch((error) => {
      if (FINAL.includes(error.problem?.status)) forget();
      throw error;
    });
    forget();
    life.throwIfAborted();
    this.#follow(body, pause);
  });

  #follow = (connection, pause = 0) => this.#try(async (life) => {
    const { connectionId } = connection;
    if (this.#followed.has(connectionId)) return;
    this.#followed.add(connectionId);
    try {
      for (let wait = 1, told; ; wait = Math.min(wait * 1.5, LONGEST_PAUSE)) {
        if (told !== (told = JSON.stringify(connection))) this.#say("connection:status", connection);
        if (connection.status !== "processing") break;
        await rest(Math.max(wait, pause), life);
        ({ body: connection, pause } = await this.#ask("GET", `/connections/${connectionId}`, undefined, life));
      }
    } finally {
      this.#followed.delete(connectionId);
    }
    this.#say(`connection:${connection.status.replace("_", "-")}`, connection);
  });

  /** What goes wrong becomes an event with a way to go on; to be cancelled is nothing wrong. */
  #try(verb) {
    const life = this.#life.signal;
    return (async () => verb(life))().catch((error) => {
      if (life.aborted || error?.name === "AbortError") return;
      if (!error?.problem) throw error;
      let again; // once, whoever asks
      const retry = () => (again ??= this.#try(verb));
      if (error.problem.type === problem("offline")) addEventListener("online", retry, { once: true, signal: life });
      this.#say("connect:error", { problem: error.problem, retry });
    });
  }

  /** An answer of 2xx, after some tries; without a signal it is asked for to the end. */
  async #ask(method, path, content, signal) {
    for (let tries = 1, wait = 1, before; ; tries++, wait *= 2) {
      const { status, pause, body } = await this.#fetch(method, path, content, signal);
      signal?.throwIfAborted();
      if (status >= 200 && status < 300) return { pause, body };
      const refused = body.type === problem("origin-refused"); // twice running, or it was a network coming back
      const told = TOLD.includes(body.type);
      const known = told || (refused && before === body.type);
      const again = PASSING.includes(status) || (status === 401 && tries === 1); // with a fresh token
      if (known || !again || tries === TRIES) throw refusal({ type: "about:blank", status, ...body });
      before = body.type;
      if (!refused) await rest(Math.max(wait, pause), signal);
    }
  }

  async #fetch(method, path, content, signal) {
    const soon = AbortSignal.any([AbortSignal.timeout(LONGEST_WAIT * 1000), ...(signal ? [signal] : [])]);
    const late = new Promise((_, reject) => soon.addEventListener("abort", () => reject(soon.reason)));
    const token = await Promise.race([late, (async () => this.#options.getToken())()]).catch(() => undefined);
    if (!/^[\x21-\x7e]+$/.test(token ?? "")) return unanswered(navigator.onLine ? "no-token" : "offline");
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const request = { method, headers, body: JSON.stringify(content), signal: soon, keepalive: true };
    const answer = await fetch(this.#options.apiUrl + path, request).catch((error) => error);
    if (answer instanceof TypeError) return unanswered(await this.#silence(headers, soon));
    const body = answer instanceof Response ? await answer.json().catch(() => undefined) : undefined;
    if (!body && (answer.ok ?? true)) return unanswered("unreachable");
    return { status: answer.status, pause: Number(answer.headers.get("Retry-After")) || 0, body: body ?? {} };
  }

  /** Why a browser shows no answer: an API that answers only where nothing can be read refuses our origin. */
  async #silence(headers, signal) {
    if (!navigator.onLine) return "offline";
    const url = `${this.#options.apiUrl}/connections?limit=1`;
    const answers = (request) => fetch(url, { ...request, signal }).then(() => true, () => false);
    return !(await answers({ headers })) && (await answers({ mode: "no-cors" })) ? "origin-refused" : "unreachable";
  }

  #say = (name, detail) => this.#element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}
