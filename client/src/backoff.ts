/** The longest that a timer can wait. */
const LONGEST = 2 ** 31 - 1;

/** How long to wait before coming back: twice as long each time, and never all clients at once. */
export class Backoff {
  readonly #first: number;
  readonly #most: number;
  #times = 0;
  /** What the server asked for until it says otherwise (`retry`; WHATWG HTML, 9.2.3). */
  #lasting = 0;
  /** What it asked for this once. */
  #once = 0;

  constructor({ first = 1_000, most = 30_000 }: { first?: number; most?: number } = {}) {
    this.#first = first;
    this.#most = most;
  }

  /** What the server wants from now on. */
  lasting(ms: number): void {
    this.#lasting = ms;
  }

  /** What the server wants for the next time. */
  once(ms: number): void {
    this.#once = ms;
  }

  /** It worked: the next time is the first again. */
  reset(): void {
    this.#times = 0;
  }

  /** How long it may be until somebody else has come back who keeps to what the server wants. */
  get longest(): number {
    return Math.min(Math.max(this.#lasting, this.#once, this.#most), LONGEST);
  }

  /** How long to wait this time: what the server asked for and up to a quarter more, or longer. */
  next(random: () => number = Math.random): number {
    const asked = Math.max(this.#lasting, this.#once);
    this.#once = 0;
    const full = Math.min(this.#first * 2 ** this.#times, this.#most);
    this.#times += 1;
    // At the first try the server's word is enough.
    const own = this.#times === 1 && asked > 0 ? 0 : full * (0.5 + random() / 2);
    return Math.min(Math.max(asked * (1 + random() / 4), own), LONGEST);
  }
}
