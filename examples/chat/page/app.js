const byId = (id) => document.getElementById(id);

const SAVED = 'chat';
const MOST_SHOWN = 1_000;

/** `{nickname, token}` of whoever uses this page; after a reload he is the same. */
let me = JSON.parse(sessionStorage.getItem(SAVED));
let source = null;
/** What the stream saw last: nothing has an id before it has told how things stand. */
let lastEventId = '';
/** To whom alone the next message goes. */
let recipient = null;
/** The newest private message that is shown, and up to which the server knows that they are. */
let newestPrivate = 0;
let readUpTo = 0;

const online = new Set();
/** The ids of the messages that came: one may come again where a fresh state follows a gap. */
const seen = new Set();

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  // What others wrote stays text.
  made.append(...content);
  return made;
}

/** A name apart from what stands around it, whatever its direction. */
const named = (tag, name) => element(tag, '', element('bdi', '', name));

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
  if (list.children.length > MOST_SHOWN) list.firstElementChild.remove();
}

function showMessage({ id, from, to, text, time }) {
  if (seen.has(id)) return;
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
  byId('count').textContent = online.size;
  const names = [...online].sort((one, other) => one.localeCompare(other));
  byId('online').replaceChildren(...names.map((name) => {
    const button = named('button', name);
    button.type = 'button';
    button.dataset.name = name;
    button.setAttribute('aria-pressed', name === recipient);
    if (name === me.nickname) button.append(element('span', 'you', ' (you)'));
    button.addEventListener('click', () => writeTo(name === recipient ? null : name));
    return element('li', '', button);
  }));
}

function writeTo(name) {
  recipient = name;
  byId('to').classList.toggle('private', name !== null);
  byId('to-name').replaceChildren(...(name === null ? ['everybody'] : [element('bdi', '', name), ' alone']));
  byId('to-all').hidden = name === null;
  for (const button of byId('online').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', button.dataset.name === name);
  }
  byId('text').focus();
}

// --- the stream

const HANDLERS = {
  connected: () => show('open', 'connected'),
  online_list: ({ nicknames }) => {
    online.clear();
    nicknames.forEach((name) => online.add(name));
    showOnline();
  },
  history: ({ messages }) => {
    messages.forEach(showMessage);
    read();
  },
  system: (change) => {
    if (change.type === 'join') online.add(change.nickname);
    else online.delete(change.nickname);
    showOnline();
    showSystem(change);
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
    // After a status that isn't 200 it gives up, and doesn't say what it was.
    stop('no stream');
    ask('HEAD', '/events').catch(({ message }) => note(message));
  });
}

// --- the requests

const note = (text) => (byId('note').textContent = text);

async function ask(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  if (me) headers.authorization = `Bearer ${me.token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (response.status === 401 && me) {
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
  [lastEventId, newestPrivate, readUpTo] = ['', 0, 0];
  online.clear();
  seen.clear();
  byId('messages').replaceChildren();
  byId('online').replaceChildren();
  note('');
  showRoom();
  writeTo(null);
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
  const [form, field] = [byId('send-form'), byId('text')];
  const text = field.value;
  field.value = '';
  form.ariaBusy = true;
  try {
    // It is shown once it comes back, in its place among all others.
    await ask('POST', '/send', recipient === null ? { text } : { text, to: recipient });
  } catch (error) {
    field.value ||= text;
    throw error;
  } finally {
    form.ariaBusy = false;
  }
});
on('cut', 'click', () => stop('cut'));
on('connect', 'click', connect);
on('to-all', 'click', () => writeTo(null));
byId('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('send-form').requestSubmit();
});

showRoom();
if (me) enter(me);
