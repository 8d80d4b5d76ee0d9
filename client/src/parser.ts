/** What an event stream says, as it is parsed (WHATWG HTML, 9.2.6). */
export interface ParserSink {
  event(name: string, data: string, id: string): void;
  retry(ms: number): void;
}

/** Parses an event stream that comes in pieces of text, decoded from UTF-8. */
export class Parser {
  readonly #sink: ParserSink;
  #rest = "";
  #first = true;
  /** A CR was the last character: an LF that follows belongs to it. */
  #afterCr = false;
  #name = "";
  #data: string[] = [];
  #id: string;

  /** `lastEventId` is what the client said: an event without an id of its own has that of the last. */
  constructor(sink: ParserSink, lastEventId = "") {
    this.#sink = sink;
    this.#id = lastEventId;
  }

  push(piece: string): void {
    if (piece === "") return;
    let text = piece;
    if (this.#first) {
      this.#first = false;
      if (text.startsWith("\uFEFF")) text = text.slice(1);
    }
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    this.#afterCr = piece.endsWith("\r");
    text = this.#rest + text;
    let start = 0;
    for (const end of text.matchAll(/\r\n|\r|\n/g)) {
      this.#line(text.slice(start, end.index));
      start = end.index + end[0].length;
    }
    this.#rest = text.slice(start);
  }

  #line(line: string): void {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.#sink.retry(Number(value));
  }

  #dispatch(): void {
    const [name, data] = [this.#name, this.#data];
    this.#name = "";
    this.#data = [];
    if (data.length > 0) this.#sink.event(name || "message", data.join("\n"), this.#id);
  }
}
