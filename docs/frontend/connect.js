// Flinks Connect in an iframe, its loginId to the API, the connection's status as DOM events: see guide.md.
// The loginId is a bearer secret: it is posted, and neither stored, nor logged, nor told to the page.

const TRIES = 5; // of a request
const SESSIONS = 3; // in a row that Connect may refuse
const LONGEST_PAUSE = 15; // seconds between two looks at a status
const PASSING = [0, 429, 500, 502, 503, 504]; // 0 is no answer. Every request made here is safe to repeat.
const UNREACHED = { status: 0, pause: 0, body: { type: "urn:flinks-landing:problem:unreachable" } };
// What Connect needs, without the right to navigate our page: the loginId stays out of its address.
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox";

// A login that landed in the address leaves it, and the history, before anything else here runs.
let landed = readLogin({}, location.href);
if (landed.loginId) {
  const clean = new URL(location.href);
  const query = clean.searchParams;
  for (const name of ["loginId", "LoginId", "requestId", "institution", "accountId", "tag"]) query.delete(name);
  history.replaceState(history.state, "", clean);
}

/** The members of a REDIRECT event, or else the query of its landing URL, as POST /connections wants them. */
function readLogin(said, url) {
  const query = new URLSearchParams(URL.canParse(url) ? new URL(url).search : "");
  const accounts = [said.accountId ?? query.getAll("accountId")].flat().join().split(",").filter(Boolean);
  return {
    loginId: said.loginId ?? query.get("loginId") ?? query.get("LoginId"),
    institution: said.institution ?? query.get("institution") ?? undefined,
    accountIds: accounts.length ? [...new Set(accounts)] : undefined,
  };
}

function read(message) { // an object, or JSON where Connect was told to stringify
  try { return (typeof message === "string" ? JSON.parse(message) : message) ?? {}; } catch { return {}; }
}

const rest = (seconds, signal) => new Promise((resolve, reject) => {
  setTimeout(resolve, seconds * 1000);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
});
const refusal = (problem) => Object.assign(new Error(problem.type), { problem });

/** Fires its events on `element`, which also holds the iframe. `options`: apiUrl, getToken, session (the usual one). */
export class Connect {
  #element; #options;
  #life = new AbortController(); // of everything
  #walk = new AbortController(); // of the iframe
  #followed = new Set();
  constructor(element, options) {
    this.#element = element;
    this.#options = { session: {}, ...options };
  }

  /** Lets the person connect, or connect again. `session` is what POST /connect-sessions takes. */
  open = (session = this.#options.session) => this.#try(() => this.#openSession(session, SESSIONS));

  /** For page load: posts the login that landed, if one did; lists the caller's connections and follows them. */
  resume = () => this.#try(async (life) => {
    const login = landed;
    landed = {};
    if (login.loginId) await this.#post(login);
    const { connections } = (await this.#ask("GET", "/connections?limit=100", undefined, life)).body;
    for (const connection of connections) {
      if (connection.status === "processing") this.#follow(connection);
      else this.#say("connection:status", connection);
    }
    return connections;
  });

  /** Takes the iframe away. What was posted goes on being followed. */
  cancel = () => this.#walk.abort();

  /** Ends everything, silently. `open` and `resume` start anew. */
  close() {
    this.cancel();
    this.#life.abort();
    this.#life = new AbortController();
  }

  async #openSession(session, tries) {
    this.cancel();
    if (tries === 0) throw refusal({ type: "urn:flinks-landing:problem:session-refused" });
    const walk = (this.#walk = new AbortController()).signal;
    const { connectUrl } = (await this.#ask("POST", "/connect-sessions", session, walk)).body;
    const frame = Object.assign(document.createElement("iframe"), { src: connectUrl, title: "Flinks Connect" });
    frame.setAttribute("sandbox", SANDBOX);
    let chosen; // accounts
    const hear = ({ origin, source, data }) => {
      const said = origin === new URL(connectUrl).origin && source === frame.contentWindow ? read(data) : {};
      if (typeof (said.step ?? said.flinksCode) !== "string") return;
      if (["REDIRECT", "TOKEN_INVALID", "COMPONENT_CLOSE_SESSION"].includes(said.step)) this.cancel(); // heard once
      this.#say("connect:step", { step: said.step ?? said.flinksCode });
      if (said.step === "ACCOUNT_SELECTED") chosen = said.accountId;
      if (said.step === "COMPONENT_CLOSE_SESSION") this.#say("connect:closed");
      if (said.step === "TOKEN_INVALID") this.#try(() => this.#openSession(session, tries - 1));
      if (said.step === "REDIRECT") this.#post(readLogin({ accountId: chosen, ...said }, said.url));
    };
    addEventListener("message", hear, { signal: walk });
    walk.addEventListener("abort", () => frame.remove());
    this.#element.append(frame);
  }

  #post = (login) => this.#try(async (life) => {
    const { body, pause } = await this.#ask("POST", "/connections", login, life);
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
  #try = (verb) => verb(this.#life.signal).catch((error) => {
    if (error?.problem) this.#say("connect:error", { problem: error.problem, retry: () => this.#try(verb) });
    else if (error?.name !== "AbortError") throw error;
  });

  async #ask(method, path, content, signal) {
    for (let tries = 1, wait = 1; ; tries++, wait *= 2) {
      const { status, pause, body } = await this.#fetch(method, path, content, signal).catch(() => UNREACHED);
      signal.throwIfAborted();
      if (status >= 200 && status < 300) return { pause, body };
      const again = PASSING.includes(status) || (status === 401 && tries === 1); // with a fresh token
      if (!again || tries === TRIES) throw refusal({ type: "about:blank", status, ...body });
      await rest(Math.max(wait, pause), signal);
    }
  }

  async #fetch(method, path, content, signal) {
    const headers = { Authorization: `Bearer ${await this.#options.getToken()}`, "Content-Type": "application/json" };
    const soon = AbortSignal.any([signal, AbortSignal.timeout(20_000)]);
    const request = { method, headers, body: JSON.stringify(content), signal: soon, keepalive: true };
    const answer = await fetch(this.#options.apiUrl + path, request);
    return { status: answer.status, pause: Number(answer.headers.get("Retry-After")) || 0, body: await answer.json() };
  }

  #say = (name, detail) => this.#element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}
