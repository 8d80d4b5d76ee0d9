import type { Options } from "sse-core-client";

/** What this server sends: by each name what its data is. */
export type Events = {
  notification: unknown;
  message: unknown;
};

/** One line of the list. */
export interface Entry {
  readonly key: number;
  readonly name: string;
  readonly text: string;
  readonly id: string;
}

const LONGEST = 50;

/** The list with one more, newest first. */
export function withEntry(entries: readonly Entry[], name: string, data: unknown, id: string): Entry[] {
  const text = asText(data);
  const key = (entries[0]?.key ?? 0) + 1;
  return [{ key, name, text, id }, ...entries].slice(0, LONGEST);
}

export function asText(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

const query = new URLSearchParams(location.search);

export const user = query.get("user") ?? "ada";

/** Where the demo has the stream of a user. */
export const streamUrl = `/api/v1/sse/stream/default/${encodeURIComponent(user)}`;

/** How this page was asked to connect: `?transport=fetch`, `?share`. */
export function options(): Options {
  return {
    ...(query.get("transport") === "fetch" ? { transport: "fetch" } : {}),
    ...(query.has("share") ? { share: `web-${user}` } : {}),
  };
}

/** The state in words. */
export function words(state: { readonly status: string; readonly reason?: string }): string {
  return state.reason === undefined ? state.status : `${state.status}: ${state.reason}`;
}

/** What a browser may show outside of the page, once somebody has allowed it. */
export function notifyBrowser(text: string): void {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  // Some browsers allow them to service workers alone.
  try {
    new Notification("A notification", { body: text });
  } catch {
    return;
  }
}

/** Asks whether that is allowed; what it is then. */
export async function askPermission(): Promise<string> {
  return "Notification" in window ? Notification.requestPermission() : "not there";
}
