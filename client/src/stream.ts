import { Engine, NOTICES } from "./engine.js";
import { canShare, SharedKeeper, type Keeper } from "./share.js";
import { report } from "./report.js";
import type { Decode, EventMap, Known, Options, State, StreamEvent } from "./types.js";

type Listener = (event: StreamEvent<unknown>) => void;

/**
 * Opens a stream of events.
 *
 * ```ts
 * const stream = connect<{ notification: { title: string } }>("/events?id=ada");
 * stream.on("notification", ({ data }) => show(data.title));
 * stream.onState(({ status }) => (badge.textContent = status));
 * ```
 */
export function connect<E extends object = EventMap>(url: string, options: Options = {}): EventStream<E> {
  return new EventStream<E>(url, options);
}

/** A stream of events, which comes back by itself until it is closed: by the application or by the server. */
export class EventStream<E extends object = EventMap> {
  readonly #decode: Decode;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #stateListeners = new Set<(state: State) => void>();
  readonly #keeper: Keeper;
  #state: State = { status: "connecting" };
  #lastEventId: string;

  constructor(url: string, options: Options = {}) {
    this.#decode = options.decode ?? json;
    this.#lastEventId = options.lastEventId ?? "";
    const output = {
      state: (state: State) => this.#setState(state),
      event: (name: string, data: string, id: string) => this.#hand(name, data, id),
    };
    if (options.share !== undefined && !options.lastEventId && canShare()) {
      this.#keeper = new SharedKeeper(options.share, url, options, output);
    } else {
      const engine = new Engine(url, options, [], output);
      this.#keeper = engine;
      // Whoever opens a stream says first what it listens for.
      queueMicrotask(() => engine.connect());
    }
  }

  /** How the stream is. */
  get state(): State {
    return this.#state;
  }

  /** The id of the event that came last: where another stream would go on. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Listens for the events of a name; returns what ends that. An event without a name is a `message`. */
  on<K extends string & keyof Known<E>>(
    name: K,
    listener: (event: StreamEvent<Known<E>[K]>) => void,
  ): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener as Listener);
    this.#keeper.listen(name);
    return () => void listeners.delete(listener as Listener);
  }

  /** Listens for changes of the state; returns what ends that. */
  onState(listener: (state: State) => void): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  /** Ends the stream for good. */
  close(): void {
    this.#keeper.close("application");
  }

  #setState(state: State): void {
    this.#state = state;
    // One that closes the stream has the others hear of that, and of nothing that was before.
    this.#call(this.#stateListeners, state, () => this.#state === state);
  }

  #hand(name: string, text: string, id: string): void {
    this.#lastEventId = id;
    const listeners = this.#listeners.get(name);
    if (!listeners?.size) return;
    const isNotice = (NOTICES as readonly string[]).includes(name);
    let data: unknown;
    try {
      data = (isNotice ? json : this.#decode)(text, name);
    } catch (error) {
      return report(error);
    }
    this.#call(listeners, { name, data, id }, () => this.#state.status !== "closed");
  }

  /** One listener's failure is none of the others'. */
  #call<T>(listeners: Iterable<(value: T) => void>, value: T, goesOn: () => boolean): void {
    for (const listener of [...listeners]) {
      if (!goesOn()) return;
      try {
        listener(value);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** What isn't JSON stays text. */
function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
