import { useMemo, useState } from "react";
import { useEventStream } from "sse-core-client/react";
import {
  asText,
  askPermission,
  notifyBrowser,
  options,
  streamUrl,
  user,
  withEntry,
  words,
  type Entry,
  type Events,
} from "../../shared";

export function App() {
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [missing, setMissing] = useState("");
  const [permission, setPermission] = useState("");
  const add = (name: string, data: unknown, id: string) => {
    setEntries((before) => withEntry(before, name, data, id));
  };
  const state = useEventStream<Events>(
    streamUrl,
    {
      message: ({ name, data, id }) => add(name, data, id),
      notification: ({ name, data, id }) => {
        add(name, data, id);
        notifyBrowser(asText(data));
      },
      gap: ({ data }) => setMissing(data.cause),
      "caught-up": ({ data }) => add("caught-up", `${data.replayed} replayed`, ""),
    },
    useMemo(options, []),
  );
  return (
    <>
      <h1>Notifications for {user}</h1>
      <p className="lead">
        On React, by the hook of the client.{" "}
        <span id="status" className="pill" role="status" data-status={state.status}>
          {words(state)}
        </span>
      </p>
      {missing && (
        <p id="gap" className="error" role="alert">
          Something is missing: {missing}
        </p>
      )}
      <section>
        <button id="ask" onClick={async () => setPermission(await askPermission())}>
          Show them outside of this page, too
        </button>{" "}
        <span id="permission" role="status">{permission}</span>
        <ol id="list" role="log">
          {entries.map(({ key, name, text, id }) => (
            <li key={key} data-event={name} data-id={id}>
              {text}
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}
