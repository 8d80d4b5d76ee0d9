const byId = (id) => document.getElementById(id);

/** The events that the gateway tells of itself, by the names that it has for them. */
const OWN = ["connection_id", "caught-up", "gap", "reconnect", "refused"];

let source = null;
let token = sessionStorage.getItem("token");
let lastEventId = "";

function show(status, text) {
  byId("status").dataset.status = status;
  byId("status").textContent = text;
}

/** Puts an event into the log, newest first. What others wrote stays text. */
function log(name, text) {
  const [item, time, label] = ["li", "time", "b"].map((tag) => document.createElement(tag));
  item.dataset.event = name;
  time.textContent = new Date().toLocaleTimeString();
  label.textContent = name;
  item.append(time, label, text);
  byId("log").prepend(item);
}

function note(event) {
  if (!event.lastEventId) return;
  lastEventId = event.lastEventId;
  byId("last").textContent = lastEventId;
}

function stop(status) {
  source?.close();
  source = null;
  show("closed", status);
}

function count({ type }) {
  const counter = byId(type);
  counter.textContent = Number(counter.textContent) + 1;
}

function listen(name, then) {
  source.addEventListener(name, (event) => {
    note(event);
    then(event);
  });
}

function open() {
  stop("no stream");
  const query = new URLSearchParams({ token });
  if (lastEventId) query.set("lastEventId", lastEventId);
  source = new EventSource(`/sse?${query}`);
  show("connecting", "connecting");
  source.addEventListener("open", () => show("open", "connected"));
  for (const name of [...OWN, ...names()]) listen(name, ({ data }) => log(name, data));
  listen("heartbeat", ({ data }) => count(JSON.parse(data)));
  // Without this the browser would come back, only to be refused.
  listen("closed", ({ data }) => {
    stop(JSON.parse(data).reason);
    log("closed", data);
  });
  source.addEventListener("error", ({ target }) => {
    if (target !== source) return;
    if (target.readyState !== EventSource.CLOSED) return show("connecting", "connecting");
    // After a status that isn't 200 it gives up: here because the token isn't valid.
    stop("refused");
  });
}

/** An EventSource tells no event whose name it wasn't asked for: those of the services are for a page to know. */
function names() {
  return new URLSearchParams(location.search).get("events")?.split(",") ?? ["note", "invoice", "message"];
}

async function ask(path, body, bearer) {
  const headers = { "content-type": "application/json" };
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function keep(value) {
  // What one user has seen is nothing that another acknowledges.
  if (value !== token) lastEventId = "";
  token = value;
  sessionStorage.setItem("token", token);
  byId("token").value = token;
}

/** Does something when a form is sent or a button clicked, and says how it went. */
function on(id, type, output, action) {
  byId(id).addEventListener(type, async (event) => {
    event.preventDefault();
    try {
      byId(output).textContent = await action();
    } catch (error) {
      byId(output).textContent = error.message;
    }
  });
}

on("login-form", "submit", "note", async () => {
  const [user, password] = ["user", "password"].map((id) => byId(id).value);
  const answer = await ask("/login", { user, password });
  keep(answer.access_token);
  open();
  return `You are ${user}, for ${Math.round(answer.expires_in / 60)} minutes.`;
});
on("token-form", "submit", "note", async () => {
  keep(byId("token").value.trim());
  open();
  return "";
});
on("cut", "click", "note", async () => {
  stop("cut");
  return "What is sent from now on comes when you open the stream again.";
});
on("logout", "click", "note", async () => {
  await ask("/logout", {}, token);
  return "The token is revoked.";
});
on("ack-form", "submit", "acked", async () => {
  const { acknowledged, left } = await ask("/ack", { last_event_id: lastEventId }, token);
  return `${acknowledged} acknowledged, ${left} left`;
});

if (token) {
  keep(token);
  open();
}
