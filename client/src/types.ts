/** The application's events: from the name of each to what its data is. */
export type EventMap = Record<string, unknown>;

/** Those of the application, and the server's own. */
export type Known<E extends object> = Omit<E, keyof NoticeMap> & NoticeMap;

/** What to do with the events of each name. */
export type Handlers<E extends object> = {
  [K in keyof Known<E>]?: (event: StreamEvent<Known<E>[K]>) => void;
};

/** The server's own events, which no application sends. */
export interface NoticeMap {
  /** A stream has begun, and how it goes on from where the client was. */
  connected: {
    connection_id: string;
    client_id?: string;
    groups?: string[];
    resume: "fresh" | "replaying" | "gap";
    timestamp: number;
  };
  /** What was missed has come; what follows is live. */
  "caught-up": { replayed: number; skipped: number };
  /** Something is missing: whoever needs it asks for it anew. */
  gap: {
    cause: "unknown" | "evicted" | "epoch" | "ahead" | "backend" | "overflow";
    dropped?: number;
    oldest?: string;
  };
  heartbeat: {
    type: "initial" | "periodic" | "healthcheck";
    timestamp: number;
    time: string;
    connection_id: string;
    client_id?: string;
  };
  /** The server ends the stream, and says when to come back. */
  reconnect: { reason: string; retry_ms: number };
  /** The server takes no stream now, and says when to come back. */
  refused: { reason: string; retry_ms: number };
  /** A newer connection took the place of this one: it doesn't come back. */
  replaced: { by: string };
  /** The server ended this client for good: it doesn't come back. */
  closed: { reason: string };
}

/** An event as it came. */
export interface StreamEvent<T> {
  readonly name: string;
  readonly data: T;
  /** The id that the client would say at its next connection; empty where there was none yet. */
  readonly id: string;
}

/** Why a stream doesn't come back. */
export type ClosedReason =
  /** The application closed it. */
  | "application"
  /** A newer connection took its place. */
  | "replaced"
  /** The server ended this client for good. */
  | "ended"
  /** The server answered with a status at which asking again is of no use (`fetch` alone sees it). */
  | "rejected";

/** How a stream is. */
export type State =
  | { readonly status: "connecting" }
  | { readonly status: "open" }
  /** It comes back by itself. */
  | { readonly status: "waiting" }
  | { readonly status: "closed"; readonly reason: ClosedReason; readonly code?: number };

/**
 * By what the stream comes: the browser's `EventSource`; or `fetch`, which can have headers of one's own and
 * another method, and sees the status of an answer.
 */
export type Transport = "eventsource" | "fetch";

/** How the text of an event's data becomes its value. */
export type Decode = (data: string, name: string) => unknown;

export interface Options {
  /** `eventsource`, unless there are `headers`, a `method` or a `body`, or no `EventSource`. */
  transport?: Transport;
  /** Headers besides those of the protocol (`fetch` only); asked for at each connection. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /** `GET` (`fetch` only). */
  method?: string;
  /** The body of each request (`fetch` only). */
  body?: string;
  /** Whether cookies go to another origin; off. */
  withCredentials?: boolean;
  /** By default JSON; what isn't JSON stays text. */
  decode?: Decode;
  /** Where to go on: the id of an event that was seen before, as after a reload. */
  lastEventId?: string;
  /**
   * After how many milliseconds without anything, heartbeats included, the connection is given up and made
   * anew: 75,000, for heartbeats every 30 s; 0 for never.
   */
  silence?: number;
  /** How long to wait before the first try to come back and at the most, in milliseconds: 1,000 and 30,000. */
  retry?: { first?: number; most?: number };
  /**
   * One stream for all tabs of this origin that name the same and have the same URL: one of them has it, with
   * its cookies and headers, and hands on what comes. Without the Web Locks API, outside of a secure context, and
   * for a tab that goes on at a `lastEventId` of its own, there is no sharing.
   */
  share?: string;
  /** Stands in for the global of that name, where there is none. */
  EventSource?: typeof globalThis.EventSource;
  /** Stands in for the global of that name. */
  fetch?: typeof globalThis.fetch;
}
