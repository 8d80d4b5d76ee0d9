import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { connect } from "../dist/index.js";
import { connected, server, until } from "./server.js";

/** By each transport, what holds for both. */
const TRANSPORTS = [
  ["fetch", { transport: "fetch" }],
  ["eventsource", { transport: "eventsource", EventSource }],
];

/** A stream with what it has told so far. */
function open(context, url, options) {
  const stream = connect(url, { retry: { first: 20, most: 100 }, ...options });
  context.after(() => stream.close());
  const told = { stream, events: [], states: [] };
  stream.onState((state) => told.states.push(state));
  for (const name of ["message", "note", "gap", "caught-up", "connected", "reconnect", "refused"]) {
    stream.on(name, ({ data, id }) => told.events.push([name, data, id]));
  }
  return told;
}

const statuses = ({ states }) => states.map(({ status }) => status);

for (const [name, options] of TRANSPORTS) {
  test(`${name}: events come typed, notices and all`, async (context) => {
    const http = await server(context);
    const told = open(context, http.url, options);
    const exchange = (await http.next()).stream();
    assert.equal(exchange.headers.accept, "text/event-stream");
    exchange.send(
      connected,
      'id: 7\nevent: note\ndata: {"title":"hello"}',
      "data: plain",
      'event: gap\ndata: {"cause":"overflow","dropped":3}',
      'event: caught-up\ndata: {"replayed":2,"skipped":0}',
      'event: unheard\ndata: "nobody listens"',
    );
    await until(() => told.events.length === 5);
    assert.deepEqual(told.events, [
      ["connected", { connection_id: "1", resume: "fresh", timestamp: 1 }, ""],
      ["note", { title: "hello" }, "7"],
      ["message", "plain", "7"],
      ["gap", { cause: "overflow", dropped: 3 }, "7"],
      ["caught-up", { replayed: 2, skipped: 0 }, "7"],
    ]);
    assert.deepEqual(statuses(told), ["connecting", "open"]);
    assert.equal(told.stream.lastEventId, "7");
  });

  test(`${name}: after the end of a stream it goes on where it was`, async (context) => {
    const http = await server(context);
    const told = open(context, http.url, options);
    const first = (await http.next()).stream().send("retry: 10", connected, "id: ~1.5\ndata: 1");
    await until(() => told.events.length === 2);
    first.response.end();
    const second = await http.next();
    assert.equal(second.headers["last-event-id"], "~1.5");
    second.stream().send(connected, "id: ~1.6\ndata: 2");
    await until(() => told.events.length === 4);
    assert.deepEqual(told.events.at(-1), ["message", 2, "~1.6"]);
    assert.equal(told.states.at(-1).status, "open");
    assert.ok(statuses(told).includes("waiting"), statuses(told).join());
    second.cut();
    assert.equal((await http.next()).headers["last-event-id"], "~1.6");
  });

  for (const [notice, reason] of [["replaced", "replaced"], ["closed", "ended"]]) {
    test(`${name}: what was ${notice} stays away`, async (context) => {
      const http = await server(context);
      const told = open(context, http.url, options);
      const exchange = (await http.next()).stream();
      exchange.send("retry: 1", connected, `event: ${notice}\ndata: {}`);
      exchange.response.end();
      await until(() => told.stream.state.status === "closed");
      assert.deepEqual(told.stream.state, { status: "closed", reason });
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(http.requests(), 0);
    });
  }

  test(`${name}: silence is a connection that is lost`, async (context) => {
    const http = await server(context);
    const told = open(context, http.url, { ...options, silence: 1_000 });
    const exchange = (await http.next()).stream().send(connected, "id: 3\ndata: 1");
    await until(() => told.events.length === 2);
    const beats = setInterval(() => exchange.send('event: heartbeat\ndata: {"type":"periodic"}'), 100);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(http.requests(), 0, "heartbeats are no silence");
    clearInterval(beats);
    const again = await http.next();
    const said = again.headers["last-event-id"] ?? new URL(again.url, http.url).searchParams.get("lastEventId");
    assert.equal(said, "3");
  });
}

test("an EventSource that has closed for good is made anew", async (context) => {
  const http = await server(context);
  const told = open(context, `${http.url}?x=1`, { transport: "eventsource", EventSource });
  const first = (await http.next()).stream().send("retry: 1", connected, "id: a b\ndata: 1");
  await until(() => told.events.length === 2);
  first.response.end();
  for (const status of [503, 401, 204]) {
    (await http.next()).response.writeHead(status).end();
  }
  const again = await http.next();
  assert.equal(again.url, "/events?x=1&lastEventId=a%20b");
  again.stream().send(connected);
  await until(() => told.stream.state.status === "open");
});

test("fetch sends headers, a method and a body, and tells why it isn't taken", async (context) => {
  const http = await server(context);
  let token = 0;
  const options = {
    headers: async () => ({ authorization: `Bearer ${(token += 1)}` }),
    method: "POST",
    body: '{"topics":["a"]}',
    lastEventId: "~1.1",
  };
  const told = open(context, http.url, options);
  const first = await http.next();
  assert.equal(first.request.method, "POST");
  assert.equal(first.headers.authorization, "Bearer 1");
  assert.equal(first.headers["last-event-id"], "~1.1");
  assert.equal(await first.body(), options.body);
  first.response.writeHead(503, { "retry-after": "0" }).end();
  const second = await http.next();
  assert.equal(second.headers.authorization, "Bearer 2");
  second.response.writeHead(401).end();
  await until(() => told.stream.state.status === "closed");
  assert.deepEqual(told.stream.state, { status: "closed", reason: "rejected", code: 401 });
});

test("fetch takes 204 for the end, and what is no event stream for no stream", async (context) => {
  const http = await server(context);
  const gone = open(context, http.url, { transport: "fetch" });
  (await http.next()).response.writeHead(204).end();
  await until(() => gone.stream.state.status === "closed");
  assert.deepEqual(gone.stream.state, { status: "closed", reason: "ended", code: 204 });
  const page = open(context, http.url, { transport: "fetch" });
  (await http.next()).response.writeHead(200, { "content-type": "text/html" }).end("<p>");
  await until(() => page.stream.state.status === "closed");
  assert.equal(page.stream.state.reason, "rejected");
});

test("fetch waits as long as it was asked", async (context) => {
  const http = await server(context);
  const told = open(context, http.url, { transport: "fetch" });
  const refused = 'retry: 300\nevent: refused\ndata: {"reason":"connections","retry_ms":300}';
  const begun = performance.now();
  (await http.next()).stream().send(refused).response.end();
  (await http.next()).stream().send(connected);
  assert.ok(performance.now() - begun >= 295, `${performance.now() - begun} ms`);
  await until(() => told.events.length === 2);
  assert.deepEqual(told.events[0].slice(0, 2), ["refused", { reason: "connections", retry_ms: 300 }]);
});

test("one listener's failure is none of the others'", async (context) => {
  const http = await server(context);
  const stream = connect(http.url, { transport: "fetch", decode: (data) => data.toUpperCase() });
  context.after(() => stream.close());
  const heard = [];
  const failures = [];
  globalThis.reportError = (error) => failures.push(error.message);
  context.after(() => delete globalThis.reportError);
  stream.on("message", () => {
    throw new Error("mine");
  });
  const off = stream.on("message", () => heard.push("never"));
  off();
  stream.on("message", ({ data }) => heard.push(data));
  (await http.next()).stream().send("data: a", "data: b");
  await until(() => heard.length === 2 && failures.length === 2);
  assert.deepEqual(heard, ["A", "B"]);
  assert.deepEqual(failures, ["mine", "mine"]);
});

test("nothing is left to wait for once a stream is closed, by whomever and whenever", async (context) => {
  for (const status of ["connecting", "open", "waiting"]) {
    const http = await server(context);
    const stream = connect(http.url, { transport: "fetch" });
    const states = [];
    stream.onState((state) => {
      states.push(state.status);
      if (state.status === status) stream.close();
    });
    if (status !== "connecting") (await http.next()).stream().send(connected).response.end();
    await until(() => stream.state.status === "closed");
    stream.close();
    assert.deepEqual(states.slice(-2), [status, "closed"]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout");
    assert.equal(http.requests(), 0);
    // The runner's own, and that of this test.
    assert.ok(timers.length <= 2, timers.join());
  }
});

test("an id that isn't ASCII comes back as the server sent it", async (context) => {
  const http = await server(context);
  const told = open(context, http.url, { transport: "fetch" });
  const first = (await http.next()).stream().send("retry: 1", connected, "id: größe-🦀\ndata: 1");
  await until(() => told.events.length === 2);
  first.response.end();
  const said = (await http.next()).headers["last-event-id"];
  assert.equal(Buffer.from(said, "latin1").toString("utf8"), "größe-🦀");
});

test("data that can't be read is told, and costs nothing but itself", async (context) => {
  const http = await server(context);
  const failures = [];
  globalThis.reportError = (error) => failures.push(error.message);
  context.after(() => delete globalThis.reportError);
  const decode = (text) => {
    if (text === "bad") throw new Error("unreadable");
    return text;
  };
  const told = open(context, http.url, { transport: "fetch", decode });
  (await http.next()).stream().send(connected, "data: bad", "data: good");
  await until(() => told.events.length === 2);
  assert.deepEqual(told.events[1], ["message", "good", ""]);
  assert.deepEqual(failures, ["unreadable"]);
  assert.equal(http.requests(), 0);
});

test("what is refused never counts as open", async (context) => {
  const http = await server(context);
  const told = open(context, http.url, { transport: "fetch" });
  const refused = 'event: refused\ndata: {"reason":"connections","retry_ms":1}';
  for (let n = 0; n < 3; n += 1) (await http.next()).stream().send(refused).response.end();
  (await http.next()).stream().send(connected);
  await until(() => told.stream.state.status === "open");
  assert.equal(statuses(told).filter((status) => status === "open").length, 1);
});
