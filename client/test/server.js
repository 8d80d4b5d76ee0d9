import { once } from "node:events";
import { createServer } from "node:http";

/** A server whose answers a test gives: `next()` is the next request, with what answers it. */
export async function server(context) {
  const [waiting, wanted] = [[], []];
  const http = createServer((request, response) => {
    const exchange = {
      request,
      response,
      url: request.url,
      headers: request.headers,
      stream() {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.flushHeaders();
        return this;
      },
      send(...events) {
        events.forEach((event) => response.write(`${event}\n\n`));
        return this;
      },
      async body() {
        let text = "";
        for await (const piece of request) text += piece;
        return text;
      },
      cut: () => request.socket.destroy(),
    };
    const want = wanted.shift();
    if (want) want(exchange);
    else waiting.push(exchange);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  context.after(() => {
    http.closeAllConnections();
    http.close();
  });
  return {
    url: `http://127.0.0.1:${http.address().port}/events`,
    requests: () => waiting.length,
    next: () => (waiting.length > 0 ? Promise.resolve(waiting.shift()) : new Promise((resolve) => wanted.push(resolve))),
  };
}

export const connected = 'event: connected\ndata: {"connection_id":"1","resume":"fresh","timestamp":1}';

/** Waits until `is` holds. */
export async function until(is) {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
}
