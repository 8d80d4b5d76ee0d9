import { Engine, type Output } from "./engine.js";
import type { ClosedReason, Options, State } from "./types.js";

/** What the tabs say to each other. */
type Message =
  | { readonly is: "event"; readonly name: string; readonly data: string; readonly id: string; readonly own: boolean }
  | { readonly is: "state"; readonly state: State }
  /** A tab is there, and wants these; whoever leads answers. */
  | { readonly is: "names"; readonly names: readonly string[] }
  /** A tab leads from now on: all say what they want. */
  | { readonly is: "led" }
  /** Where the stream is, for a tab that has come. */
  | { readonly is: "place"; readonly state: State; readonly id: string; readonly opening: string | undefined };

/** How long a new leader waits, in milliseconds: what the old one handed on last may still be on its way. */
const HAND_OVER = 100;

/** How much longer than a connection may be silent a leader may be, in milliseconds. */
const MARGIN = 10_000;

/** What a stream needs of what keeps it, shared or not. */
export interface Keeper {
  listen(name: string): void;
  close(reason: ClosedReason): void;
}

/** Whether this page can share a stream with others. */
export function canShare(): boolean {
  return typeof BroadcastChannel === "function" && typeof navigator === "object" && "locks" in navigator;
}

/**
 * One stream for all tabs that name the same, of the same URL.
 *
 * The tab that has the lock has the stream and hands on what comes; when it goes away the lock goes to the next,
 * which goes on after the last event that it has seen. What the old leader had and didn't hand on comes again by
 * that; what comes twice is known by its position. A leader that says nothing for too long loses the lock.
 */
export class SharedKeeper implements Keeper {
  readonly #lock: string;
  readonly #url: string;
  readonly #options: Options;
  readonly #output: Output;
  readonly #names = new Set<string>();
  readonly #channel: BroadcastChannel;
  readonly #leave = new AbortController();
  readonly #patience: number;
  #lastEventId = "";
  /** The data of the last `connected`, for tabs that come later. */
  #opening: string | undefined;
  #state: State = { status: "connecting" };
  #engine: Engine | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(share: string, url: string, options: Options, output: Output) {
    this.#url = url;
    this.#options = options;
    this.#output = output;
    const silence = options.silence ?? 75_000;
    this.#patience = silence > 0 ? silence + MARGIN : 0;
    this.#lock = `sse-core:${share}:${url}`;
    this.#channel = new BroadcastChannel(this.#lock);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#heard(data);
    this.#say({ is: "names", names: [] });
    this.#stand({ signal: this.#leave.signal });
    this.#watch();
  }

  listen(name: string): void {
    if (this.#names.has(name) || this.#leave.signal.aborted) return;
    this.#names.add(name);
    this.#engine?.listen(name);
    this.#say({ is: "names", names: [name] });
  }

  close(reason: ClosedReason): void {
    this.#end({ status: "closed", reason });
  }

  /** Asks for the lock, and leads once it is there. */
  #stand(options: LockOptions): void {
    let stolen = false;
    const lead = () => this.#lead(() => stolen);
    navigator.locks.request(this.#lock, options, lead).catch((error: unknown) => {
      if (this.#leave.signal.aborted) return;
      stolen = true;
      // It tells nobody: whoever took the lock has a stream.
      const engine = this.#engine;
      this.#engine = undefined;
      engine?.close("application");
      if (error instanceof DOMException && error.name === "AbortError") {
        // Another took it, for this one said nothing: it follows from now on.
        this.#stand({ signal: this.#leave.signal });
        this.#watch();
      } else {
        // There are no locks here: each has a stream of its own.
        void this.#lead(() => this.#leave.signal.aborted);
      }
    });
  }

  /** Has the stream until this tab, or the stream, has had enough. */
  async #lead(isOver: () => boolean): Promise<void> {
    this.#say({ is: "led" });
    await new Promise((resolve) => setTimeout(resolve, HAND_OVER));
    if (this.#leave.signal.aborted || isOver()) return;
    const options = { ...this.#options, lastEventId: this.#lastEventId };
    const engine = new Engine(this.#url, options, this.#names, {
      state: (state) => {
        if (this.#engine !== engine) return;
        this.#say({ is: "state", state });
        this.#set(state);
      },
      event: (name, data, id, own) => {
        if (this.#engine !== engine) return;
        this.#say({ is: "event", name, data, id, own });
        this.#event(name, data, id, own);
      },
    });
    this.#engine = engine;
    clearTimeout(this.#watchdog);
    engine.connect();
    await new Promise<void>((resolve) => {
      if (this.#leave.signal.aborted) resolve();
      else this.#leave.signal.addEventListener("abort", () => resolve());
    });
  }

  #heard(message: Message): void {
    this.#watch();
    switch (message.is) {
      case "event":
        return this.#event(message.name, message.data, message.id, message.own);
      case "state":
        return this.#set(message.state);
      case "led":
        return this.#say({ is: "names", names: [...this.#names] });
      case "names":
        return this.#wanted(message.names);
      case "place":
        return this.#placed(message);
    }
  }

  /** Another tab wants these: whoever leads, now or later, has to ask for them. */
  #wanted(names: readonly string[]): void {
    for (const name of names) {
      this.#names.add(name);
      this.#engine?.listen(name);
    }
    if (this.#engine && names.length === 0) {
      this.#say({ is: "place", state: this.#state, id: this.#lastEventId, opening: this.#opening });
    }
  }

  /** This tab has come to a stream that is there. */
  #placed({ state, id, opening }: Message & { is: "place" }): void {
    if (this.#opening !== undefined || this.#engine) return;
    this.#lastEventId ||= id;
    this.#set(state);
    if (opening !== undefined) this.#event("connected", opening, this.#lastEventId, false);
  }

  #event(name: string, data: string, id: string, own: boolean): void {
    if (own && !isNews(id, this.#lastEventId)) return;
    if (own) this.#lastEventId = id;
    if (name === "connected") this.#opening = data;
    this.#output.event(name, data, this.#lastEventId, own);
  }

  #set(state: State): void {
    if (state.status === "closed") return this.#end(state);
    const { status } = this.#state;
    if (status === "closed" || status === state.status) return;
    this.#state = state;
    this.#output.state(state);
  }

  #end(state: State): void {
    if (this.#leave.signal.aborted) return;
    const engine = this.#engine;
    this.#engine = undefined;
    this.#state = state;
    clearTimeout(this.#watchdog);
    this.#leave.abort();
    engine?.close("application");
    this.#channel.close();
    this.#output.state(state);
  }

  /** A tab that leads and says nothing, not even that its stream lives, is led no longer by. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    if (this.#patience === 0 || this.#engine || this.#leave.signal.aborted) return;
    this.#watchdog = setTimeout(() => this.#stand({ steal: true }), this.#patience);
  }

  #say(message: Message): void {
    this.#channel.postMessage(message);
  }
}

/** Whether an id comes after another, as far as that can be known: positions of one epoch have an order. */
function isNews(id: string, last: string): boolean {
  const [epoch, sequence] = positionOf(id) ?? [];
  const [lastEpoch, lastSequence] = positionOf(last) ?? [];
  if (epoch === undefined || epoch !== lastEpoch) return id !== last;
  return (sequence ?? 0n) > (lastSequence ?? 0n);
}

function positionOf(id: string): [string, bigint] | undefined {
  const [, epoch, sequence] = /^~([0-9a-f]{16})\.(\d+)$/.exec(id) ?? [];
  return epoch === undefined || sequence === undefined ? undefined : [epoch, BigInt(sequence)];
}
