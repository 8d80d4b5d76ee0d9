const byId = (id) => document.getElementById(id);

let source = null;
let heartbeats = 0;

function show(status, text) {
  byId("status").dataset.status = status;
  byId("status").textContent = text;
}

/** Puts an event into the log, newest first. What others wrote stays text. */
function log(name, text) {
  const [item, label] = [document.createElement("li"), document.createElement("b")];
  item.dataset.event = name;
  label.textContent = name;
  item.append(label, text);
  byId("log").prepend(item);
}

function stop(status) {
  source?.close();
  source = null;
  show("closed", status);
}

function connect() {
  stop("logged out");
  byId("connect").hidden = true;
  source = new EventSource("/events");
  show("connecting", "connecting");
  source.addEventListener("open", () => show("open", "connected"));
  source.addEventListener("connected", ({ data }) => log("connected", JSON.parse(data).client_id));
  source.addEventListener("heartbeat", () => {
    heartbeats += 1;
    byId("heartbeats").textContent = heartbeats;
  });
  source.addEventListener("news", ({ data }) => {
    const { from, text } = JSON.parse(data);
    log("news", `${from}: ${text}`);
  });
  // Without this the browser would come back, and two tabs replace each other for ever.
  source.addEventListener("replaced", () => {
    stop("replaced");
    log("replaced", "another tab or browser has the stream now");
    byId("connect").hidden = false;
  });
  source.addEventListener("error", ({ target }) => {
    if (target.readyState !== EventSource.CLOSED) return show("connecting", "connecting");
    // After a status that isn't 200 it gives up: mostly because nobody is logged in.
    stop("no stream");
    byId("connect").hidden = false;
  });
}

async function ask(method, path, body) {
  const options = { method, headers: { "content-type": "application/json" } };
  if (body) options.body = JSON.stringify(body);
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
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
  const { user } = await ask("POST", "/login", { user: byId("user").value });
  connect();
  return `You are ${user}.`;
});
on("logout", "click", "note", async () => {
  await ask("POST", "/logout");
  stop("logged out");
  return "You have left.";
});
on("send-form", "submit", "sent", async () => {
  const { reached } = await ask("POST", "/broadcast", { text: byId("text").value });
  return `${reached} ${reached === 1 ? "stream" : "streams"}`;
});
on("ask-form", "submit", "there", async () => {
  const user = encodeURIComponent(byId("other").value);
  const answer = await ask("GET", `/users/${user}`);
  return answer.has_connections ? "connected" : "not connected";
});
byId("connect").addEventListener("click", connect);

connect();
