// What app.js and streams.js share: the server's API and a few DOM helpers.

const BASE = '/api/v1/sse';
const REQUEST_TIMEOUT_MS = 10_000;
const JSON_HEADERS = { 'content-type': 'application/json' };

const path = (...segments) => segments.map(encodeURIComponent).join('/');

async function request(url, init) {
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const response = await fetch(url, { signal, ...init }).catch(() => {
    throw new Error('The server cannot be reached.');
  });
  const body = await response.json().catch(() => null);
  if (!response.ok || !body) throw new Error(body?.error ?? `Unexpected answer: HTTP status ${response.status}.`);
  return body;
}

/** Where the server wants one: `?token=` of the page is that of its streams. */
const TOKEN = new URLSearchParams(location.search).get('token');

export const sendUrl = `${BASE}/send`;
export const streamUrl = (group, client) =>
  `${BASE}/stream/${path(group, client)}${TOKEN ? `?token=${encodeURIComponent(TOKEN)}` : ''}`;

export const api = {
  info: () => request(`${BASE}/info`),
  groups: (limit) => request(`${BASE}/groups?limit=${limit}`),
  group: (name, limit) => request(`${BASE}/groups/${path(name)}?limit=${limit}`),
  disconnect: (group, client) =>
    request(`${BASE}/disconnect/${path(group, client)}`, { method: 'POST' }),
  disconnectForGood: (group, client) =>
    request(`${BASE}/disconnect/${path(group, client)}?for=10m`, { method: 'POST' }),
  allow: (client) => request(`${BASE}/allow/${path(client)}`, { method: 'POST' }),
  send: (message) =>
    request(sendUrl, { method: 'POST', headers: JSON_HEADERS, body: JSON.stringify(message) }),
  act: (action, body) =>
    request(`${BASE}/app/${path(action)}`, { method: 'POST', headers: JSON_HEADERS, body }),
};

export const byId = (id) => document.getElementById(id);

export const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

export function textElement(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Makes the children of `parent` match `keys`, in order, and keeps those already there (and their focus). */
export function reconcile(parent, keys, create) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(keys);
  present.forEach((child, key) => wanted.has(key) || child.remove());
  keys.forEach((key, index) => {
    const child = present.get(key) ?? create(key);
    child.dataset.key = key;
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

export async function poll(task, intervalMs) {
  for (;;) {
    await task();
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
