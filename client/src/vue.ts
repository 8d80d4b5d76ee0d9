import { onScopeDispose, readonly, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref } from "vue";
import { connect, type EventMap, type EventStream, type Handlers, type Options, type State } from "./index.js";

/** How the stream of a scope is: `idle` where it has none. */
export type ScopeState = State | { readonly status: "idle" };

/**
 * The stream of a component or another scope, in which it has to be called: opened with it, closed with it, and
 * opened anew where `url` changes. Without a `url`, and where a page is rendered on a server, there is no stream.
 */
export function useEventStream<E extends object = EventMap>(
  url: MaybeRefOrGetter<string | null>,
  handlers: Handlers<E>,
  options: Options = {},
): Readonly<Ref<ScopeState>> {
  const state = shallowRef<ScopeState>({ status: "idle" });
  if (typeof window === "undefined") return state;
  let stream: EventStream<E> | undefined;
  const end = () => {
    const ended = stream;
    stream = undefined;
    ended?.close();
  };
  watch(
    () => toValue(url),
    (present) => {
      end();
      state.value = { status: "idle" };
      if (present === null) return;
      const opened = connect<E>(present, options);
      stream = opened;
      state.value = opened.state;
      opened.onState((changed) => {
        if (stream === opened) state.value = changed;
      });
      for (const [name, handler] of Object.entries(handlers)) {
        type On = EventStream<E>["on"];
        if (handler) opened.on(name as Parameters<On>[0], handler as Parameters<On>[1]);
      }
    },
    { immediate: true },
  );
  onScopeDispose(end);
  return readonly(state) as Readonly<Ref<ScopeState>>;
}
