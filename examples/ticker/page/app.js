const byId = (id) => document.getElementById(id);

const navigation = performance.getEntriesByType("navigation")[0];
byId("page-protocol").textContent = navigation?.nextHopProtocol || "an unknown protocol";

/** The streams of their own, and the element that shows each. */
const streams = new Map();

function count() {
  const open = [...streams.keys()].filter((it) => it.readyState === EventSource.OPEN);
  byId("open-count").textContent = `${open.length} of ${streams.size} open`;
}

function openStream() {
  const source = new EventSource("/time");
  const item = byId("stream").content.firstElementChild.cloneNode(true);
  const pill = item.querySelector(".pill");
  const show = (status) => {
    pill.dataset.status = status;
    count();
  };
  source.addEventListener("open", () => show("open"));
  source.addEventListener("error", () => {
    const gone = source.readyState === EventSource.CLOSED;
    pill.textContent = gone ? "closed" : "connecting";
    show(gone ? "closed" : "connecting");
  });
  source.addEventListener("protocol", ({ data }) => {
    pill.textContent = data;
    byId("protocol").textContent = data;
  });
  source.addEventListener("time", ({ data }) => {
    item.querySelector(".time").textContent = data;
  });
  streams.set(source, item);
  byId("own").append(item);
  show("connecting");
}

byId("open-form").addEventListener("submit", (event) => {
  event.preventDefault();
  for (let left = byId("count").valueAsNumber; left > 0; left -= 1) openStream();
});

byId("close").addEventListener("click", () => {
  for (const [source, item] of streams) {
    source.close();
    item.remove();
  }
  streams.clear();
  count();
});

// Without an event name it is a `message`.
new EventSource("/sse?stream=time").addEventListener("message", ({ data }) => {
  byId("shared").textContent = data;
});

openStream();
