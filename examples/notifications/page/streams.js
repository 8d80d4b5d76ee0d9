import { api, fromTemplate, plural, streamUrl, textElement } from './lib.js';

export const MAX_STREAMS = 5;
export const EVENT_NAMES = ['message', 'notification', 'alert', 'chat', 'progress'];

const LOG_LENGTH = 100;
const CONTROL_EVENTS = ['connected', 'heartbeat', 'gap'];

/** The stream cards of this page. `onChange` is told when a card comes, goes, or changes its status or groups. */
export class StreamBoard {
  #cards = new Set();
  #eventNames = new Set(EVENT_NAMES);
  #container;
  #onChange;

  constructor(container, onChange) {
    this.#container = container;
    this.#onChange = onChange;
  }

  get size() {
    return this.#cards.size;
  }

  get clients() {
    return [...this.#cards].map((card) => card.client);
  }

  open(client, group) {
    if (this.size >= MAX_STREAMS) return;
    const card = new StreamCard(client, group, this.#eventNames, {
      changed: this.#onChange,
      removed: () => this.#remove(card),
    });
    this.#cards.add(card);
    this.#container.append(card.element);
    card.connect();
    this.#onChange();
  }

  #remove(card) {
    this.#cards.delete(card);
    card.element.remove();
    this.#onChange();
  }

  listenFor(eventName) {
    this.#eventNames.add(eventName);
    this.#cards.forEach((card) => card.listenFor(eventName));
  }

  /** Outlines the open cards that `reaches` picks and returns how many those are. */
  markTargets(reaches) {
    const targets = [...this.#cards].filter((card) => card.isOpen && reaches(card));
    this.#cards.forEach((card) => card.element.classList.toggle('target', targets.includes(card)));
    return targets.length;
  }

  owns(client, group) {
    return [...this.#cards].some((card) => card.client === client && card.groups.includes(group));
  }
}

class StreamCard {
  #source;
  #eventNames;
  #listening;
  #callbacks;
  #lastEventId = '';
  #heartbeats = 0;

  constructor(client, group, eventNames, callbacks) {
    this.client = client;
    this.group = group;
    this.groups = [group];
    this.#eventNames = eventNames;
    this.#callbacks = callbacks;
    this.element = this.#render();
  }

  #render() {
    const card = fromTemplate('stream-template');
    card.dataset.client = this.client;
    card.dataset.group = this.group;
    card.querySelector('.stream-client').textContent = this.client;
    card.querySelector('.stream-group bdi').textContent = this.group;
    card.querySelector('.log').setAttribute('aria-label', `Events of ${this.client} in ${this.group}`);
    card.querySelector('.stream-close').addEventListener('click', () => this.close());
    card.querySelector('.stream-disconnect').addEventListener('click', () => this.#disconnect());
    card.querySelector('.stream-reconnect').addEventListener('click', () => this.connect());
    return card;
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  connect() {
    this.#setStatus('connecting');
    this.#listening = new Set();
    this.#source = new EventSource(streamUrl(this.group, this.client));
    this.#source.onopen = () => this.#setStatus('open');
    this.#source.onerror = (event) => this.#onError(event);
    this.#source.addEventListener('connected', (event) => this.#onConnected(event));
    this.#source.addEventListener('heartbeat', () => this.#onHeartbeat());
    this.#source.addEventListener('gap', (event) => this.#onGap(event));
    this.#eventNames.forEach((name) => this.listenFor(name));
  }

  get isOpen() {
    return this.element.dataset.status === 'open';
  }

  listenFor(eventName) {
    if (this.#listening.has(eventName) || CONTROL_EVENTS.includes(eventName)) return;
    this.#listening.add(eventName);
    this.#source.addEventListener(eventName, (event) => {
      if (event instanceof MessageEvent) this.#onMessage(event);
    });
  }

  close() {
    this.#source.close();
    this.#callbacks.removed();
  }

  async #disconnect() {
    try {
      const { closed } = await api.disconnect(this.group, this.client);
      this.#note(`Asked the server to disconnect: it closed ${plural(closed, 'stream')}. EventSource reconnects by itself.`);
    } catch (error) {
      this.#note(`Could not disconnect: ${error.message}`);
    }
  }

  #setStatus(status) {
    this.element.dataset.status = status;
    this.#find('.stream-status').dataset.status = status;
    this.#find('.stream-status').textContent = status;
    this.#find('.stream-reconnect').hidden = status !== 'closed';
    this.#find('.stream-disconnect').hidden = status === 'closed';
    this.#callbacks.changed();
  }

  // An application may name its event "error": that is a message, not a lost connection.
  #onError(event) {
    if (event instanceof MessageEvent) return;
    const closed = this.#source.readyState === EventSource.CLOSED;
    this.#setStatus(closed ? 'closed' : 'reconnecting');
    if (closed) this.#note('The server refused the stream, and EventSource gives up after a refusal.');
  }

  #onConnected(event) {
    const { connection_id: connection, groups, resume } = parseJson(event.data) ?? {};
    if (Array.isArray(groups)) this.groups = groups;
    const parts = [connection && `connection ${connection}`, resume && `resume: ${asText(resume)}`];
    this.#log(event, parts.filter(Boolean).join(', ') || event.data);
    this.#callbacks.changed();
  }

  #onHeartbeat() {
    this.#heartbeats += 1;
    this.#find('.heartbeats span').replaceChildren(
      textElement('b', '', this.#heartbeats),
      ` heartbeat${this.#heartbeats === 1 ? '' : 's'}`,
    );
    animate(this.#find('.pulse'), [{ transform: 'scale(1.9)' }, { transform: 'none' }]);
  }

  #onGap(event) {
    const { cause, dropped } = parseJson(event.data) ?? {};
    const missed = dropped === undefined ? 'Some events' : plural(dropped, 'event');
    this.#log(event, `${missed} missed on this stream${cause ? ` (${asText(cause)})` : ''}.`);
  }

  #onMessage(event) {
    const { text, delay } = readTimed(event.data);
    this.#log(event, text, delay);
    animate(this.element, [{ boxShadow: '0 0 0 4px var(--flash)' }, {}]);
  }

  #log(event, text, delay) {
    const entry = fromTemplate('entry-template');
    entry.dataset.event = event.type;
    entry.querySelector('.entry-event').textContent = event.type;
    entry.querySelector('.entry-data').textContent = text;
    entry.querySelector('.entry-meta').append(...this.#meta(event, delay));
    this.#prepend(entry);
  }

  #meta(event, delay) {
    const id = this.#takeId(event);
    const parts = [];
    if (id) parts.push(textElement('span', 'entry-id', `id ${id}`), ' ');
    if (delay !== undefined) parts.push(textElement('span', 'entry-delay', `${delay} ms`));
    return parts;
  }

  // `lastEventId` sticks to later events that carry no id of their own.
  #takeId({ lastEventId }) {
    if (lastEventId === this.#lastEventId) return '';
    this.#lastEventId = lastEventId;
    return lastEventId;
  }

  #note(text) {
    this.#prepend(textElement('li', 'entry note', text));
  }

  #prepend(entry) {
    const list = this.#find('.log ol');
    list.prepend(entry);
    if (list.children.length > LOG_LENGTH) list.lastElementChild.remove();
  }
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** This page sends `{"text", "sent_at"}`; whatever else comes is shown as it is. */
function readTimed(data) {
  const { text, sent_at: sentAt } = parseJson(data) ?? {};
  if (typeof text !== 'string' || !Number.isFinite(sentAt)) return { text: data };
  return { text, delay: Date.now() - sentAt };
}

function animate(element, keyframes) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  element.animate(keyframes, { duration: 700, easing: 'ease-out' });
}
