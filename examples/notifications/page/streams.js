import { api, fromTemplate, plural, streamUrl, textElement } from './lib.js';

export const MAX_STREAMS = 5;
export const EVENT_NAMES = [
  'message', 'notification', 'alert', 'chat', 'progress',
  'new_message', 'rank_update', 'data_update', 'maintenance', 'presence',
];

const LOG_LENGTH = 100;
const FAREWELLS = new Map([
  ['reconnect', 'The server asks this page to come back'],
  ['refused', 'The server takes no new stream now'],
  ['replaced', 'A newer stream took the place of this one'],
  ['closed', 'The server ended this client for good'],
]);
const CONTROL_EVENTS = ['connected', 'caught-up', 'heartbeat', 'gap', ...FAREWELLS.keys()];
const GAP_CAUSES = new Map([
  ['unknown', 'the server does not know the last event id'],
  ['evicted', 'the server no longer keeps events that old'],
  ['epoch', 'the server has been started anew'],
  ['ahead', 'the last event id is ahead of the server'],
  ['backend', 'the history failed'],
  ['overflow', 'the queue was full'],
]);

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

  /** Outlines the cards that `reaches` picks: how many get it now, and how many when they are back. */
  markTargets(reaches) {
    const targets = [...this.#cards].filter((card) => (card.isOpen || card.isAway) && reaches(card));
    this.#cards.forEach((card) => card.element.classList.toggle('target', targets.includes(card)));
    const now = targets.filter((card) => card.isOpen).length;
    return { now, later: targets.length - now };
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
  #catchingUp = false;
  #hasGap = false;
  #isFinal = false;
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
    card.querySelector('.stream-cut').addEventListener('click', () => this.#cut());
    card.querySelector('.stream-reconnect').addEventListener('click', () => this.connect());
    card.querySelector('.stream-allow').addEventListener('click', () => this.#allow());
    return card;
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  connect() {
    this.#isFinal = false;
    this.#showLastId('');
    this.#setStatus('connecting');
    this.#listening = new Set();
    this.#source = new EventSource(streamUrl(this.group, this.client));
    this.#source.onopen = () => this.#setStatus('open');
    this.#source.onerror = (event) => this.#onError(event);
    this.#source.addEventListener('connected', (event) => this.#onConnected(event));
    this.#source.addEventListener('caught-up', (event) => this.#onCaughtUp(event));
    this.#source.addEventListener('heartbeat', (event) => this.#onHeartbeat(event));
    this.#source.addEventListener('gap', (event) => this.#onGap(event));
    FAREWELLS.forEach((text, name) => this.#source.addEventListener(name, (event) => this.#onFarewell(event, text)));
    this.#eventNames.forEach((name) => this.listenFor(name));
  }

  get isOpen() {
    return this.element.dataset.status === 'open';
  }

  /** Whether it comes back and says what it saw last, so that it gets what it misses meanwhile. */
  get isAway() {
    return this.element.dataset.status === 'reconnecting' && this.#lastEventId !== '';
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

  async #cut() {
    try {
      const { closed } = await api.disconnect(this.group, this.client);
      this.#note(`The server cut ${plural(closed, 'stream')}. EventSource comes back in about three seconds: send something meanwhile.`);
    } catch (error) {
      this.#note(`Could not cut it: ${error.message}`);
    }
  }

  async #allow() {
    try {
      await api.allow(this.client);
      this.connect();
    } catch (error) {
      this.#note(`Could not allow it: ${error.message}`);
    }
  }

  #setStatus(status) {
    this.element.dataset.status = status;
    this.#find('.stream-status').dataset.status = status;
    this.#find('.stream-status').textContent = status;
    this.#find('.stream-reconnect').hidden = status !== 'closed' || this.#isFinal;
    this.#find('.stream-allow').hidden = status !== 'closed' || !this.#isFinal;
    this.#find('.stream-cut').hidden = status === 'closed';
    this.#find('.stream-cut').disabled = status !== 'open';
    if (status === 'reconnecting') this.#showAway();
    if (status === 'closed') this.#showResume('away', 'Ended: it does not come back by itself');
    this.#callbacks.changed();
  }

  // An application may name its event "error": that is a message, not a lost connection.
  #onError(event) {
    if (event instanceof MessageEvent) return;
    const closed = this.#source.readyState === EventSource.CLOSED;
    this.#setStatus(closed ? 'closed' : 'reconnecting');
    if (closed && this.#isFinal) this.#note('The server answered with 204, at which EventSource gives up.');
    else if (closed) this.#note('The server refused the stream, and EventSource gives up after a refusal.');
  }

  #onConnected(event) {
    const { connection_id: connection, groups, resume } = parseJson(event.data) ?? {};
    if (Array.isArray(groups)) this.groups = groups;
    this.#catchingUp = resume === 'replaying' || resume === 'gap';
    this.#hasGap = false;
    if (this.#catchingUp) this.#showResume('catching-up', 'Catching up');
    else this.#showResume('fresh', 'A fresh stream: nothing to catch up on');
    const parts = [connection && `connection ${connection}`, resume && `resume: ${asText(resume)}`];
    this.#log(event, parts.filter(Boolean).join(', ') || event.data);
    this.#callbacks.changed();
  }

  #onCaughtUp(event) {
    const { replayed = 0, skipped = 0 } = parseJson(event.data) ?? {};
    const counts = `${asText(replayed)} replayed, ${asText(skipped)} skipped`;
    this.#catchingUp = false;
    if (this.#hasGap) this.#showResume('gap', `Caught up after a gap: ${counts}`);
    else this.#showResume('caught-up', `Caught up: ${counts}`);
    this.#log(event, counts);
  }

  #onHeartbeat(event) {
    this.#takeId(event);
    this.#heartbeats += 1;
    this.#find('.heartbeats span').replaceChildren(
      textElement('b', '', this.#heartbeats),
      ` heartbeat${this.#heartbeats === 1 ? '' : 's'}`,
    );
    animate(this.#find('.pulse'), [{ transform: 'scale(1.9)' }, { transform: 'none' }]);
  }

  #onGap(event) {
    const { cause, dropped } = parseJson(event.data) ?? {};
    const missed = dropped === undefined ? 'Something is' : `${plural(dropped, 'event')} ${dropped === 1 ? 'is' : 'are'}`;
    const why = GAP_CAUSES.get(cause) ?? asText(cause);
    this.#hasGap = true;
    this.#showResume('gap', `Gap: ${why}`);
    this.#log(event, `${missed} missing here: ${why}.`);
  }

  #onFarewell(event, text) {
    const { reason, retry_ms: retry, by } = parseJson(event.data) ?? {};
    // Two pages that come back would replace each other for ever.
    if (event.type === 'replaced') this.#source.close();
    this.#isFinal = event.type === 'closed';
    const parts = [
      text,
      reason !== undefined && `(${asText(reason)})`,
      retry !== undefined && `in ${asText(retry)} ms`,
      by !== undefined && `(${asText(by)})`,
    ];
    this.#log(event, parts.filter(Boolean).join(' '));
    if (event.type === 'replaced') this.#setStatus('closed');
  }

  #onMessage(event) {
    const { text, delay } = readTimed(event.data);
    this.#log(event, text, delay);
    animate(this.element, [{ boxShadow: '0 0 0 4px var(--flash)' }, {}]);
  }

  #log(event, text, delay) {
    const entry = fromTemplate('entry-template');
    entry.dataset.event = event.type;
    entry.querySelector('.entry-replayed').hidden = !this.#catchingUp || CONTROL_EVENTS.includes(event.type);
    entry.querySelector('.entry-event').textContent = event.type;
    entry.querySelector('.entry-data').textContent = text;
    entry.querySelector('.entry-meta').append(...this.#meta(event, delay));
    this.#prepend(entry);
  }

  #meta(event, delay) {
    const id = this.#takeId(event);
    const parts = [];
    if (id) parts.push(idElement(id), ' ');
    if (delay !== undefined) parts.push(textElement('span', 'entry-delay', `${delay} ms`));
    return parts;
  }

  // `lastEventId` sticks to later events that carry no id of their own.
  #takeId({ lastEventId }) {
    if (lastEventId === this.#lastEventId) return '';
    this.#showLastId(lastEventId);
    return lastEventId;
  }

  #showLastId(id) {
    this.#lastEventId = id;
    this.#find('.last-id').textContent = id || 'none';
  }

  #showAway() {
    if (this.isAway) this.#showResume('away', 'Away: what is kept meanwhile follows on return');
    else this.#showResume('away', 'Away: what is sent meanwhile is missed');
  }

  #showResume(state, text) {
    const resume = this.#find('.resume');
    resume.dataset.resume = state;
    resume.textContent = text;
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

const asText = (value) => (typeof value === 'string' ? value : String(JSON.stringify(value)));

/** The id of an event; of a position most of the epoch is left out, which is the same in all. */
function idElement(id) {
  const element = textElement('span', 'entry-id', `id ${id.replace(/^(~[0-9a-f]{4})[0-9a-f]{12}\./, '$1…')}`);
  element.title = id;
  return element;
}

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
