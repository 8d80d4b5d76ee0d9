export { connect, EventStream } from "./stream.js";
export type {
  ClosedReason,
  Decode,
  EventMap,
  Handlers,
  Known,
  NoticeMap,
  Options,
  State,
  StreamEvent,
  Transport,
} from "./types.js";
