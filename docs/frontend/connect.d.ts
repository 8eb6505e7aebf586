// Types of connect.js, for TypeScript and for editors. See guide.md.

/** Of the module, as semantic versioning has it. */
export declare const VERSION: string;

export type Language = "en" | "fr";
export type DaysOfTransactions = 90 | 365;

/** What `POST /connections` and `GET /connections` say of a connection. New reasons may come. */
export interface Connection {
  connectionId: string;
  status: "processing" | "ready" | "action_required" | "failed" | "deleting";
  reason: string | null;
  action: "none" | "wait" | "reconnect" | "contact_support";
  message: { en: string; fr: string };
  institution: string | null;
  language: Language | null;
  daysOfTransactions: DaysOfTransactions | null;
  accounts: number | null;
  receivedAt: string;
  updatedAt: string;
}

/** The body of `POST /connect-sessions`. */
export interface Session {
  language?: Language;
  selectAccounts?: boolean;
  institution?: string | null;
  customerName?: string | null;
  theme?: "light" | "dark" | null;
  termsUrl?: string | null;
  daysOfTransactions?: DaysOfTransactions | null;
}

/** A refusal of the API's (RFC 9457), of the gateway's (`about:blank`) or of the module's own. Act on `type`. */
export interface Problem {
  type: string;
  status?: number;
  title?: string;
  detail?: string;
  instance?: string;
  message?: string;
}

export interface ConnectOptions {
  /** The stack's output `ApiUrl`. */
  apiUrl: string;
  /** An access token of the person's; asked for before each request. */
  getToken: () => string | Promise<string>;
  /** The usual session; `{}` if it is left out. */
  session?: Session;
}

/** An event of a browser's, or of React's: `open` may be a handler, and passes it over. */
export interface ClickEvent {
  preventDefault(): void;
}

/** What `detail` holds in the events that the element fires. */
export interface ConnectEvents {
  "connection:status": Connection;
  "connection:ready": Connection;
  "connection:action-required": Connection;
  "connection:failed": Connection;
  "connection:deleting": Connection;
  "connect:step": { step: string };
  "connect:closed": null;
  "connect:error": { problem: Problem; retry: () => Promise<unknown> };
}

/** Fires its events on `element`, which also holds the iframe. No verb throws for what a network or a person can do. */
export declare class Connect {
  constructor(element: HTMLElement, options: ConnectOptions);
  /** Lets the person connect; or connect again, straight to the bank of `reconnect` and in its language. */
  open: (session?: Session | (Session & { reconnect: Connection }) | ClickEvent) => Promise<void>;
  /** For page load: posts what landed, lists the caller's connections, follows them. Undefined if it could not. */
  resume: () => Promise<Connection[] | undefined>;
  /** Takes the iframe away. What was posted goes on being followed. */
  cancel: () => void;
  /** Ends everything, silently, but for the POST of a login. `open` and `resume` start anew. */
  close(): void;
}

type ConnectEventMap = { [Name in keyof ConnectEvents]: CustomEvent<ConnectEvents[Name]> };

declare global {
  interface HTMLElementEventMap extends ConnectEventMap {}
  interface DocumentEventMap extends ConnectEventMap {}
}
