import { Parser } from "./parser.js";
import { report } from "./report.js";
import type { Options, Transport } from "./types.js";

/** What a connection tells. After `ended` nothing more. */
export interface Sink {
  opened(): void;
  event(name: string, data: string, id: string): void;
  /** How long the server wants it to wait before it comes back. */
  retry(ms: number): void;
  /** The transport comes back by itself. */
  away(): void;
  ended(end: End): void;
}

/** How a connection ended. */
export type End =
  /** It may be had again. */
  | { readonly kind: "lost"; readonly retryAfter?: number }
  /** The server won't have it. */
  | { readonly kind: "rejected"; readonly code: number };

/** A connection. */
export interface Connection {
  /** Has events of this name handed on: `EventSource` hands on what it is asked for. */
  listen(name: string): void;
  close(): void;
}

/** Which transport serves these options. */
export function transportOf(options: Options): Transport {
  if (options.transport) return options.transport;
  const needsFetch = options.headers ?? options.method ?? options.body;
  const has = options.EventSource ?? globalThis.EventSource;
  return needsFetch === undefined && has ? "eventsource" : "fetch";
}

/** Opens a connection that goes on after `lastEventId`. */
export function open(url: string, lastEventId: string, options: Options, sink: Sink): Connection {
  const how = transportOf(options) === "fetch" ? openFetch : openEventSource;
  return how(url, lastEventId, options, sink);
}

function openEventSource(url: string, lastEventId: string, options: Options, sink: Sink): Connection {
  const Source = options.EventSource ?? globalThis.EventSource;
  const source = new Source(withId(url, lastEventId), { withCredentials: options.withCredentials ?? false });
  source.onopen = () => sink.opened();
  source.onerror = () => {
    // By itself it comes back with its own last id, and when the server wanted it to.
    if (source.readyState === Source.CLOSED) sink.ended({ kind: "lost" });
    else sink.away();
  };
  const hand = (event: MessageEvent) => sink.event(event.type, event.data, event.lastEventId);
  return {
    listen: (name) => source.addEventListener(name, hand),
    close: () => source.close(),
  };
}

/** The header can't be set there: the server takes it from the query too. */
function withId(url: string, lastEventId: string): string {
  if (lastEventId === "") return url;
  const [before, fragment] = url.split("#", 2);
  const separator = before?.includes("?") ? "&" : "?";
  const whole = `${before}${separator}lastEventId=${encodeURIComponent(lastEventId)}`;
  return fragment === undefined ? whole : `${whole}#${fragment}`;
}

function openFetch(url: string, lastEventId: string, options: Options, sink: Sink): Connection {
  const abort = new AbortController();
  let done = false;
  const end = (how: End) => {
    if (done) return;
    done = true;
    sink.ended(how);
  };
  const ownHeaders = async () => {
    const { headers } = options;
    try {
      return typeof headers === "function" ? await headers() : headers;
    } catch (error) {
      // The network's failures are no news; this is the application's.
      report(error);
      throw error;
    }
  };
  const run = async () => {
    const headers = await ownHeaders();
    const response = await (options.fetch ?? globalThis.fetch)(url, {
      method: options.method ?? "GET",
      headers: {
        ...headers,
        accept: "text/event-stream",
        ...(lastEventId === "" ? {} : { "last-event-id": asBytes(lastEventId) }),
      },
      ...(options.body === undefined ? {} : { body: options.body }),
      cache: "no-store",
      credentials: options.withCredentials ? "include" : "same-origin",
      signal: abort.signal,
    });
    const refused = refusalOf(response);
    if (refused) {
      abort.abort();
      return end(refused);
    }
    if (done) return;
    sink.opened();
    const parser = new Parser(
      {
        event: (name, data, id) => done || sink.event(name, data, id),
        retry: (ms) => done || sink.retry(ms),
      },
      lastEventId,
    );
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      parser.push(piece.value);
    }
    end({ kind: "lost" });
  };
  run().catch(() => end({ kind: "lost" }));
  return {
    listen: () => {},
    close: () => {
      done = true;
      abort.abort();
    },
  };
}

/** A header's value is bytes, each of which is a character here: those of UTF-8, as `EventSource` sends them. */
function asBytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function refusalOf(response: Response): End | undefined {
  const { status } = response;
  const type = response.headers.get("content-type") ?? "";
  if (status === 200 && type.split(";")[0]?.trim().toLowerCase() === "text/event-stream") return undefined;
  // Too many, or too early: later is another matter. So is what the server can't do now.
  if (status !== 408 && status !== 425 && status !== 429 && status < 500) {
    return { kind: "rejected", code: status };
  }
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? { kind: "lost", retryAfter: seconds * 1000 } : { kind: "lost" };
}
