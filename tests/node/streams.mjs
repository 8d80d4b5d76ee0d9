// Opens each stream whose URL it is given with npm's `eventsource`, and prints what comes: a line
// of JSON for each event, with path, event, id and data.

import { EventSource } from "eventsource";

const print = (...row) => process.stdout.write(`${JSON.stringify(row)}\n`);

for (const url of process.argv.slice(2)) {
  const path = new URL(url).pathname;
  const source = new EventSource(url);
  for (const name of ["connected", "item", "gap", "end"]) {
    source.addEventListener(name, ({ type, lastEventId, data }) => {
      print(path, type, lastEventId, data);
    });
  }
  source.addEventListener("error", ({ message }) => {
    if (source.readyState === EventSource.CLOSED) {
      print(path, "given-up", "", message ?? "");
    }
  });
}
