import { Backoff } from "./backoff.js";
import { report } from "./report.js";
import { open, type Connection, type End } from "./transport.js";
import type { ClosedReason, Options, State } from "./types.js";

/** What an engine tells. */
export interface Output {
  state(state: State): void;
  /** `own`: the id is the event's own, and not the last one's. */
  event(name: string, data: string, id: string, own: boolean): void;
}

/** The server's own events, which each connection hands on. */
export const NOTICES = [
  "connected",
  "caught-up",
  "gap",
  "heartbeat",
  "reconnect",
  "refused",
  "replaced",
  "closed",
] as const;

/** By which the server says that it is of no use to come back. */
const FINAL: Record<string, ClosedReason> = { replaced: "replaced", closed: "ended" };

/** How long a stream may say nothing, in milliseconds, and count as open: its opening event may be off. */
const SILENT_OPENING = 250;

/** Keeps a connection: makes it anew until it is of no use, and goes on where it was. */
export class Engine {
  readonly #url: string;
  readonly #options: Options;
  readonly #output: Output;
  readonly #names: Set<string>;
  readonly #backoff: Backoff;
  readonly #silence: number;
  #lastEventId: string;
  #connection: Connection | undefined;
  /** Tells the callbacks of a connection that is no more from those of the present one. */
  #generation = 0;
  #isOpen = false;
  #comeBack: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #opening: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(url: string, options: Options, names: Iterable<string>, output: Output) {
    this.#url = url;
    this.#options = options;
    this.#output = output;
    this.#names = new Set([...NOTICES, ...names]);
    this.#backoff = new Backoff(options.retry);
    this.#silence = options.silence ?? 75_000;
    this.#lastEventId = options.lastEventId ?? "";
  }

  listen(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#connection?.listen(name);
  }

  connect(): void {
    if (this.#isClosed) return;
    this.#drop();
    this.#output.state({ status: "connecting" });
    // Whoever was told may have closed it.
    if (this.#isClosed) return;
    const generation = this.#generation;
    const isPresent = () => generation === this.#generation;
    try {
      this.#connection = open(this.#url, this.#lastEventId, this.#options, {
        opened: () => isPresent() && this.#opened(),
        event: (name, data, id) => isPresent() && this.#event(name, data, id),
        retry: (ms) => this.#backoff.lasting(ms),
        away: () => isPresent() && this.#away(),
        ended: (end) => isPresent() && this.#ended(end),
      });
    } catch (error) {
      // A URL that is none, say.
      report(error);
      return this.close("rejected");
    }
    for (const name of this.#names) this.#connection.listen(name);
    this.#watch(this.#silence);
  }

  close(reason: ClosedReason, code?: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#drop();
    this.#output.state({ status: "closed", reason, ...(code === undefined ? {} : { code }) });
  }

  #opened(): void {
    this.#watch(this.#silence);
    clearTimeout(this.#opening);
    this.#opening = setTimeout(() => this.#isThere(), SILENT_OPENING);
  }

  /** It is a stream, and none that only says that there is none. */
  #isThere(): void {
    clearTimeout(this.#opening);
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#backoff.reset();
    this.#output.state({ status: "open" });
  }

  #event(name: string, data: string, id: string): void {
    this.#watch(this.#silence);
    // The server takes no id back; npm's `eventsource` tells none where an event has none of its own.
    const own = id !== "" && id !== this.#lastEventId;
    if (own) this.#lastEventId = id;
    if (name === "reconnect" || name === "refused") this.#asked(data);
    else if (!(name in FINAL)) this.#isThere();
    if (this.#isClosed) return;
    this.#output.event(name, data, this.#lastEventId, own);
    const final = FINAL[name];
    if (final) this.close(final);
  }

  #asked(data: string): void {
    clearTimeout(this.#opening);
    const ms = retryOf(data);
    if (ms !== undefined) this.#backoff.once(ms);
  }

  /** The browser comes back by itself, when the server wanted it to. */
  #away(): void {
    this.#isOpen = false;
    clearTimeout(this.#opening);
    if (this.#silence > 0) this.#watch(this.#backoff.longest + this.#silence);
    this.#output.state({ status: "waiting" });
  }

  #ended(end: End): void {
    if (end.kind === "rejected") {
      // 204 is how the server says for good what an event said before.
      return this.close(end.code === 204 ? "ended" : "rejected", end.code);
    }
    if (end.retryAfter !== undefined) this.#backoff.once(end.retryAfter);
    this.#drop();
    this.#comeBack = setTimeout(() => this.connect(), this.#backoff.next());
    this.#output.state({ status: "waiting" });
  }

  /** A connection that says nothing, not even that it lives, is made anew. */
  #watch(silence: number): void {
    clearTimeout(this.#watchdog);
    if (this.#silence > 0 && !this.#isClosed) {
      this.#watchdog = setTimeout(() => this.#ended({ kind: "lost" }), silence);
    }
  }

  #drop(): void {
    this.#generation += 1;
    this.#isOpen = false;
    clearTimeout(this.#comeBack);
    clearTimeout(this.#watchdog);
    clearTimeout(this.#opening);
    this.#connection?.close();
    this.#connection = undefined;
  }
}

function retryOf(data: string): number | undefined {
  try {
    const { retry_ms: ms } = JSON.parse(data) as { retry_ms?: unknown };
    return typeof ms === "number" && ms >= 0 ? ms : undefined;
  } catch {
    return undefined;
  }
}
