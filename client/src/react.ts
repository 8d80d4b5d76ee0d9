import { useEffect, useRef, useState } from "react";
import {
  connect,
  type EventMap,
  type EventStream,
  type Handlers,
  type Options,
  type State,
  type StreamEvent,
} from "./index.js";

/** How the stream of a component is: `idle` where it has none. */
export type HookState = State | { readonly status: "idle" };

/**
 * The stream of a component: opened with it, closed with it, and opened anew where `url` changes. Handlers may be
 * others at each render; options count when the stream is opened. Without a `url` there is no stream.
 */
export function useEventStream<E extends object = EventMap>(
  url: string | null,
  handlers: Handlers<E>,
  options: Options = {},
): HookState {
  const [state, setState] = useState<HookState>({ status: url === null ? "idle" : "connecting" });
  const latest = useRef({ handlers: handlers as AnyHandlers, options });
  const stream = useRef<EventStream | null>(null);
  const heard = useRef(new Set<string>());
  const names = Object.keys(handlers).sort().join("\n");
  /** Listens for what isn't listened for; whoever handles it is looked up when it comes. */
  const hear = () => {
    for (const name of Object.keys(latest.current.handlers)) {
      if (heard.current.has(name)) continue;
      heard.current.add(name);
      stream.current?.on(name, (event) => latest.current.handlers[name]?.(event));
    }
  };
  useEffect(() => {
    latest.current = { handlers: handlers as AnyHandlers, options };
  });
  useEffect(() => {
    if (url === null) {
      setState({ status: "idle" });
      return undefined;
    }
    const opened = connect(url, latest.current.options);
    stream.current = opened;
    heard.current = new Set();
    hear();
    setState(opened.state);
    const off = opened.onState(setState);
    return () => {
      off();
      stream.current = null;
      opened.close();
    };
  }, [url]);
  useEffect(hear, [names]);
  return state;
}

type AnyHandlers = Record<string, ((event: StreamEvent<unknown>) => void) | undefined>;
