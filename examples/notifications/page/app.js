import { offerActions } from './actions.js';
import { api, byId, fromTemplate, plural, poll, reconcile, sendUrl, streamUrl, textElement } from './lib.js';
import { EVENT_NAMES, MAX_STREAMS, StreamBoard } from './streams.js';

const INFO_INTERVAL_MS = 1_000;
const WHO_INTERVAL_MS = 2_000;
const GROUPS_SHOWN = 20;
const CLIENTS_SHOWN = 50;
const OPTIONAL_FIELDS = ['event', 'id', 'key', 'except', 'conflate'];
const FRIENDLY_NAMES = ['ada', 'alan', 'grace', 'edsger', 'barbara', 'donald', 'margaret', 'dennis', 'radia', 'linus'];

const connectForm = byId('connect-form');
const sendForm = byId('send-form');
const board = new StreamBoard(byId('streams'), refresh);

// --- connect

const withSuffix = (name) => `${name}-${Math.floor(100 + Math.random() * 900)}`;

function suggestClient() {
  const name = FRIENDLY_NAMES[Math.floor(Math.random() * FRIENDLY_NAMES.length)];
  byId('connect-client').value = withSuffix(name);
}

function openStream(client, group) {
  board.open(client, group);
  byId('send-client').value ||= client;
  refresh();
}

function onConnect(event) {
  event.preventDefault();
  openStream(byId('connect-client').value.trim(), byId('connect-group').value.trim());
  suggestClient();
  refresh();
}

function showLimit() {
  const full = board.size >= MAX_STREAMS;
  byId('connect-button').disabled = full;
  byId('connect-note').classList.toggle('warning', full);
  byId('connect-note').textContent = full
    ? `${MAX_STREAMS} streams are open, and that is the limit here: over HTTP/1.1 a browser allows six connections to a host, all its tabs together, and this page needs the sixth for its other requests. Close a card to open another.`
    : `Up to ${MAX_STREAMS} at once on this page.`;
}

// --- send

const mode = () => sendForm.elements.mode.value;

function target() {
  if (mode() === 'unicast') return { client: byId('send-client').value.trim() };
  if (mode() === 'group') return { group: byId('send-group').value.trim() };
  return {};
}

function envelope() {
  const { elements } = sendForm;
  const filled = OPTIONAL_FIELDS.map((name) => [name, elements[name].value.trim()]).filter(([, value]) => value);
  return { ...target(), ...Object.fromEntries(filled), ...(elements.transient.checked && { transient: true }) };
}

function typedJson() {
  try {
    return JSON.parse(byId('send-text').value);
  } catch (error) {
    throw new Error(`The message is not valid JSON: ${error.message}`);
  }
}

function messageData() {
  if (byId('send-json').checked) return typedJson();
  return { text: byId('send-text').value, sent_at: Date.now() };
}

async function onSend(event) {
  event.preventDefault();
  const message = envelope();
  if (message.event) board.listenFor(message.event);
  try {
    showAnswer(await api.send({ ...message, data: messageData() }));
  } catch (error) {
    showResult(false, error.message);
  }
}

function showResult(ok, summary, ...details) {
  const result = byId('send-result');
  result.dataset.ok = ok;
  result.replaceChildren(textElement('p', 'summary', summary), ...details);
}

function showAnswer(answer) {
  const fields = Object.entries(answer).filter(([, value]) => value !== null);
  const chips = fields.map(([name, value]) => {
    const chip = textElement('span', 'chip', `${name} `);
    chip.dataset.field = name;
    chip.append(textElement('b', '', value));
    return chip;
  });
  showResult(true, summarize(answer), ...chips);
}

function summarize({ position, duplicate, matched, queued, passed, skipped, replaced, dropped, closed }) {
  if (duplicate) return 'A duplicate: this idempotency key has been sent before, so nothing was sent again.';
  if (matched === 0) {
    const kept = position === null ? 'It is not kept.' : 'It is kept for those who come back.';
    return `Nobody matched: no such stream is open right now. ${kept}`;
  }
  const outcomes = [
    `queued for ${queued}`,
    passed && `${passed} will read it while catching up`,
    skipped && `skipped for ${skipped} that ${skipped === 1 ? 'catches' : 'catch'} up`,
    replaced && `replaced ${replaced} waiting`,
    dropped && `dropped ${dropped}`,
    closed && `closed ${closed}`,
  ];
  return `Matched ${plural(matched, 'stream')}: ${outcomes.filter(Boolean).join(', ')}.`;
}

function showModeFields() {
  sendForm.querySelectorAll('[data-mode]').forEach((field) => {
    field.hidden = field.dataset.mode !== mode();
    field.querySelector('input').disabled = field.hidden;
  });
}

function reaches({ client, groups, isAway }) {
  const wanted = target();
  if (isAway && sendForm.elements.transient.checked) return false;
  if (client === byId('send-except').value.trim()) return false;
  if (wanted.client !== undefined) return wanted.client === client;
  return wanted.group === undefined || groups.includes(wanted.group);
}

function showReach() {
  const { now, later } = board.markTargets(reaches);
  const andLater = later ? `, and ${later} more on return` : '';
  byId('send-reach').textContent = board.size
    ? `Reaches ${now} of the ${plural(board.size, 'stream')} on this page${andLater}.`
    : 'No stream is open on this page.';
}

function onTextKey(event) {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendForm.requestSubmit();
}

// --- curl

const shellQuote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlData() {
  try {
    return byId('send-json').checked ? typedJson() : byId('send-text').value;
  } catch {
    return byId('send-text').value;
  }
}

function showCurl() {
  const body = JSON.stringify({ ...envelope(), data: curlData() });
  const stream = streamUrl(byId('connect-group').value.trim(), byId('connect-client').value.trim());
  byId('curl-send').textContent =
    `curl ${shellQuote(location.origin + sendUrl)} \\\n  -H 'content-type: application/json' \\\n  -d ${shellQuote(body)}`;
  byId('curl-stream').textContent = `curl -N ${shellQuote(location.origin + stream)}`;
}

async function onCopy({ currentTarget: button }) {
  const code = byId(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = 'Selected';
  }
  setTimeout(() => (button.textContent = 'Copy'), 1_500);
}

// --- counters

function showNumbers(counters, prefix) {
  Object.entries(counters).forEach(([name, value]) => {
    const cell = byId(prefix + name);
    if (cell) cell.textContent = value.toLocaleString('en-US');
  });
}

function uptime(seconds) {
  const [days, hours, minutes] = [86_400, 3_600, 60].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days}d ${hours % 24}h`;
  if (hours) return `${hours}h ${minutes % 60}m`;
  return minutes ? `${minutes}m ${Math.floor(seconds % 60)}s` : `${Math.floor(seconds)}s`;
}

function showServerStatus(up) {
  const status = byId('server-status');
  const text = up ? 'live' : 'server unreachable';
  status.dataset.status = up ? 'open' : 'closed';
  if (status.textContent !== text) status.textContent = text;
}

async function pollInfo() {
  try {
    const { published, history, uptime_s: seconds, ...counters } = await api.info();
    showNumbers(counters, 'info-');
    showNumbers(history ?? { events: 'off' }, 'info-history-');
    showNumbers(published, 'info-published-');
    byId('info-uptime').textContent = uptime(seconds);
    showServerStatus(true);
  } catch {
    showServerStatus(false);
  }
}

// --- who is connected

async function pollWho() {
  try {
    const { groups } = await api.groups(GROUPS_SHOWN + 1);
    const shown = [];
    for (const { name } of groups.slice(0, GROUPS_SHOWN)) {
      shown.push({ name, ...(await api.group(name, CLIENTS_SHOWN)) });
    }
    showWho(shown, groups.length > GROUPS_SHOWN);
  } catch {
    // The counters' poll shows that the server is unreachable.
  }
}

function showWho(groups, more) {
  const container = byId('who-groups');
  reconcile(container, groups.map(({ name }) => name), createGroup);
  groups.forEach((group, index) => showGroup(container.children[index], group));
  byId('who-more').textContent = more ? `Only the first ${GROUPS_SHOWN} groups are shown.` : '';
  if (!groups.length) byId('who-more').textContent = 'Nobody.';
  showOptions('known-groups', groups.map(({ name }) => name));
  showOptions('known-clients', [...board.clients, ...groups.flatMap(({ clients }) => clients)]);
}

function createGroup(name) {
  const element = fromTemplate('group-template');
  element.dataset.group = name;
  element.querySelector('bdi').textContent = name;
  return element;
}

function showGroup(element, { name, connections, clients, next }) {
  element.querySelector('.count').textContent = plural(connections, 'connection');
  element.querySelector('.group-more').textContent = next ? `Only the first ${clients.length} clients are shown.` : '';
  reconcile(element.querySelector('ul'), clients, (client) => createClient(name, client));
  for (const item of element.querySelector('ul').children) {
    item.querySelector('.own').hidden = !board.owns(item.dataset.client, name);
  }
}

function createClient(group, client) {
  const item = fromTemplate('client-template');
  item.dataset.client = client;
  item.querySelector('bdi').textContent = client;
  const plain = item.querySelector('.disconnect');
  plain.setAttribute('aria-label', `Disconnect ${client} from ${group}`);
  plain.addEventListener('click', () => disconnect(group, client, api.disconnect));
  const final = item.querySelector('.disconnect-final');
  final.setAttribute('aria-label', `Disconnect ${client} from ${group} for good`);
  final.addEventListener('click', () => disconnect(group, client, api.disconnectForGood));
  return item;
}

async function disconnect(group, client, how) {
  const result = byId('who-result');
  try {
    const { closed } = await how(group, client);
    result.textContent = `The server closed ${plural(closed, 'stream')} of ${client} in ${group}.`;
  } catch (error) {
    result.textContent = `Could not disconnect ${client}: ${error.message}`;
  }
}

function showOptions(listId, values) {
  reconcile(byId(listId), [...new Set(values)], (value) => new Option(value, value));
}

// --- start

function refresh() {
  showModeFields();
  showLimit();
  showReach();
  showCurl();
}

function showEventNames() {
  byId('event-names').append(...EVENT_NAMES.flatMap((name) => [textElement('code', '', name), ', ']).slice(0, -1));
  showOptions('known-events', EVENT_NAMES);
}

function autoConnect() {
  openStream(withSuffix('alice'), 'default');
  openStream(withSuffix('bob'), 'admins');
}

connectForm.addEventListener('submit', onConnect);
sendForm.addEventListener('submit', onSend);
byId('send-text').addEventListener('keydown', onTextKey);
document.addEventListener('input', refresh);
document.querySelectorAll('.copy').forEach((button) => button.addEventListener('click', onCopy));

suggestClient();
showEventNames();
offerActions();
refresh();
if (new URLSearchParams(location.search).get('auto') !== '0') autoConnect();
poll(pollInfo, INFO_INTERVAL_MS);
poll(pollWho, WHO_INTERVAL_MS);
