const byId = (id) => document.getElementById(id);

const SAVED = 'chat';
const MOST_SHOWN = 1_000;

/** `{nickname, token}` of whoever uses this page; after a reload he is the same. */
let me = JSON.parse(sessionStorage.getItem(SAVED));
let source = null;
/** What the stream saw last: nothing has an id before it has told how things stand. */
let lastEventId = '';
/** Connects again a while after the server refused a stream. */
let again = null;
/**
 * `{nickname, member}` of whom alone the next message goes to; `null` for everybody. `undefined` where it went to
 * one who has left, and nobody is chosen since: what was meant for him is for nobody else.
 */
let recipient = null;
/** The messages on their way, one after the other, and how many. */
let sending = Promise.resolve();
let underWay = 0;
/** The newest private message that is shown, and up to which the server knows that they are. */
let newestPrivate = 0;
let readUpTo = 0;

/** Who is there: the number of each member by his name. */
const online = new Map();
/** The ids of the messages shown: one may come again where a fresh state follows a gap. */
const seen = new Set();
/** Up to which id messages were dropped because newer ones came: those don't come back. */
let droppedUpTo = 0;

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  // What others wrote stays text.
  made.append(...content);
  return made;
}

/** A name apart from what stands around it, whatever its direction. */
const named = (tag, name) => element(tag, '', element('bdi', '', name));

/** As the server compares names. */
const fold = (name) => name.toLowerCase().replaceAll('ς', 'σ');

const timeOf = (time) => new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

// --- what the page shows

function show(status, text) {
  byId('status').dataset.status = status;
  byId('status').textContent = text;
  const hasStream = status === 'open' || status === 'connecting';
  byId('cut').hidden = !hasStream;
  byId('connect').hidden = hasStream;
}

function showRoom() {
  byId('join').hidden = me !== null;
  byId('room').hidden = me === null;
  byId('controls').hidden = me === null;
  byId('me').textContent = me?.nickname ?? '';
}

function put(entry, before = null) {
  const list = byId('messages');
  list.insertBefore(entry, before);
  if (list.children.length <= MOST_SHOWN) return;
  const dropped = list.firstElementChild;
  dropped.remove();
  // What is no message has no id.
  const id = Number(dropped.dataset.id ?? 0);
  seen.delete(id);
  droppedUpTo = Math.max(droppedUpTo, id);
}

function showMessage({ id, from, to, text, time }) {
  if (id <= droppedUpTo || seen.has(id)) return;
  seen.add(id);
  if (to === me.nickname) newestPrivate = Math.max(newestPrivate, id);
  const head = element('p', 'head', named('b', from));
  if (to !== undefined) {
    const mark = element('span', 'mark', 'private to ');
    mark.append(to === me.nickname ? 'you' : named('span', to));
    head.append(mark);
  }
  const when = element('time', '', timeOf(time));
  when.dateTime = time;
  head.append(when);
  const item = element('li', 'message', head, element('p', 'text', text));
  item.classList.toggle('own', from === me.nickname);
  item.classList.toggle('private', to !== undefined);
  item.dataset.id = id;
  put(item, [...byId('messages').children].find((other) => Number(other.dataset.id) > id));
}

function showSystem({ type, nickname, time }) {
  const what = type === 'join' ? ' is here' : ' is gone';
  put(element('li', 'system', named('b', nickname), `${what}, ${timeOf(time)}`));
}

function showOnline() {
  const list = byId('online');
  const focused = document.activeElement;
  const place = [...list.querySelectorAll('button')].indexOf(focused);
  byId('count').textContent = online.size;
  const people = [...online].sort(([one], [other]) => one.localeCompare(other));
  const buttons = people.map(([nickname, member]) => {
    const button = named('button', nickname);
    button.type = 'button';
    Object.assign(button.dataset, { name: nickname, member });
    if (nickname === me.nickname) button.append(element('span', 'you', ' (you)'));
    button.addEventListener('click', () => {
      writeTo(member === recipient?.member ? null : { nickname, member });
      byId('text').focus();
    });
    return button;
  });
  list.replaceChildren(...buttons.map((button) => element('li', '', button)));
  showRecipient();
  if (place === -1) return;
  // Whoever uses the keyboard stays where he was, or next to it.
  const same = buttons.find((button) => button.dataset.name === focused.dataset.name);
  (same ?? buttons[Math.min(place, buttons.length - 1)] ?? byId('text')).focus({ preventScroll: true });
}

function showRecipient() {
  const other = recipient === null ? 'everybody' : 'nobody yet';
  byId('to').classList.toggle('private', recipient !== null);
  byId('to-name').replaceChildren(...(recipient ? [element('bdi', '', recipient.nickname), ' alone'] : [other]));
  byId('to-all').hidden = recipient === null;
  for (const button of byId('online').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', Number(button.dataset.member) === recipient?.member);
  }
}

function writeTo(whom) {
  recipient = whom;
  showRecipient();
}

/** Who is there by that name: maybe another than he to whom the next message was to go. */
function meet({ nickname, member }) {
  online.set(nickname, member);
  if (!recipient || member === recipient.member || fold(nickname) !== fold(recipient.nickname)) return;
  const who = named('b', recipient.nickname);
  put(element('li', 'system', who, ' has left, and somebody else is called so now. What you write goes to nobody yet.'));
  writeTo(undefined);
}

// --- the stream

const HANDLERS = {
  connected: () => show('open', 'connected'),
  online_list: ({ people }) => {
    online.clear();
    people.forEach(meet);
    showOnline();
  },
  history: ({ messages }) => {
    messages.forEach(showMessage);
    read();
  },
  system: (change) => {
    showSystem(change);
    if (change.type === 'join') meet(change);
    else online.delete(change.nickname);
    showOnline();
  },
  chat: (message) => {
    showMessage(message);
    if (message.to === me.nickname) read();
  },
  gap: () => put(element('li', 'system', 'Something may be missing here.')),
  // They say where the stream is.
  'caught-up': () => {},
  heartbeat: () => {},
  closed: () => forget('You have left.'),
};

function stop(text, status = 'closed') {
  clearTimeout(again);
  source?.close();
  source = null;
  show(status, text);
}

function connect() {
  stop('');
  const query = new URLSearchParams({ token: me.token });
  if (lastEventId) query.set('lastEventId', lastEventId);
  const opened = new EventSource(`/events?${query}`);
  source = opened;
  show('connecting', 'connecting');
  for (const [name, handle] of Object.entries(HANDLERS)) {
    opened.addEventListener(name, (event) => {
      // One that was closed may still have some to dispatch.
      if (source !== opened) return;
      handle(JSON.parse(event.data));
      lastEventId = event.lastEventId || lastEventId;
    });
  }
  opened.addEventListener('error', () => {
    if (source !== opened) return;
    if (opened.readyState !== EventSource.CLOSED) return show('connecting', 'connecting');
    comeBack();
  });
}

/** After a status that isn't 200 an EventSource gives up, and doesn't say what it was. */
function comeBack() {
  stop('no stream, trying again soon', 'connecting');
  // Not all pages at the same time.
  again = setTimeout(connect, 2_000 + 3_000 * Math.random());
  // Whoever isn't known any more is told, and needn't try. Anything else may pass.
  ask('HEAD', '/events').catch(() => {});
}

// --- the requests

const note = (text) => (byId('note').textContent = text);

async function ask(method, path, body) {
  const asked = me;
  const headers = { 'content-type': 'application/json' };
  if (me) headers.authorization = `Bearer ${me.token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (response.status === 401 && asked) {
    // An answer to whom one was before says nothing of who one is.
    if (asked !== me) throw new Error('You have joined anew since.');
    const why = 'The server doesn’t know you any more. Join again.';
    forget(why);
    throw new Error(why);
  }
  if (method === 'HEAD') return response;
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** Tells the server up to where the private messages have been read that are shown. */
async function read() {
  if (newestPrivate <= readUpTo) return;
  const before = readUpTo;
  readUpTo = newestPrivate;
  try {
    await ask('POST', '/read', { id: newestPrivate });
  } catch {
    // With the next one.
    readUpTo = before;
  }
}

function enter(joined) {
  me = joined;
  sessionStorage.setItem(SAVED, JSON.stringify(me));
  [lastEventId, newestPrivate, readUpTo, droppedUpTo] = ['', 0, 0, 0];
  online.clear();
  seen.clear();
  byId('messages').replaceChildren();
  byId('online').replaceChildren();
  note('');
  showRoom();
  writeTo(null);
  byId('text').focus();
  connect();
}

function forget(why) {
  stop('not joined', 'none');
  me = null;
  sessionStorage.removeItem(SAVED);
  note(why);
  showRoom();
}

/** Does something when a form is sent or a button clicked, and says what went wrong. */
function on(id, type, action) {
  byId(id).addEventListener(type, async (event) => {
    event.preventDefault();
    try {
      note('');
      await action();
    } catch ({ message }) {
      note(message);
    }
  });
}

on('join-form', 'submit', async () => enter(await ask('POST', '/join', { nickname: byId('nickname').value })));
on('leave', 'click', async () => {
  await ask('POST', '/leave');
  forget('You have left.');
});
on('send-form', 'submit', async () => {
  if (recipient === undefined) throw new Error('Choose first to whom it goes: a name, or everybody.');
  const [form, field] = [byId('send-form'), byId('text')];
  const [who, to] = [me, recipient && { to: recipient.nickname, member: recipient.member }];
  const text = field.value;
  field.value = '';
  form.ariaBusy = true;
  underWay += 1;
  // Two at a time could overtake each other. It is shown once it comes back, in its place among all others.
  const sent = sending.then(() => {
    if (who !== me) throw new Error('You have joined anew since.');
    return ask('POST', '/send', { text, ...to });
  });
  // One that failed keeps no other back.
  sending = sent.catch(() => {});
  try {
    await sent;
  } catch (error) {
    if (who === me) field.value ||= text;
    throw error;
  } finally {
    underWay -= 1;
    form.ariaBusy = underWay > 0;
  }
});
on('cut', 'click', () => stop('cut'));
on('connect', 'click', connect);
on('to-all', 'click', () => {
  writeTo(null);
  byId('text').focus();
});
byId('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('send-form').requestSubmit();
});

showRoom();
if (me) enter(me);
