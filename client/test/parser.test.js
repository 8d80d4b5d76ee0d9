import assert from "node:assert/strict";
import { test } from "node:test";
import { Parser } from "../dist/parser.js";

/** What a stream says, pushed in these pieces. */
function parsed(pieces, lastEventId) {
  const told = [];
  const sink = {
    event: (name, data, id) => told.push([name, data, id]),
    retry: (ms) => told.push(["retry", ms]),
  };
  const parser = new Parser(sink, lastEventId);
  pieces.forEach((piece) => parser.push(piece));
  return told;
}

const CASES = [
  ["data: a\n\n", [["message", "a", ""]]],
  ["event: e\nid: 1\ndata: a\ndata: b\n\ndata:c\n\n", [["e", "a\nb", "1"], ["message", "c", "1"]]],
  ["data: a\r\n\r\ndata: b\r\rdata: c\n\n", [["message", "a", ""], ["message", "b", ""], ["message", "c", ""]]],
  ["\uFEFFdata: a\n\n", [["message", "a", ""]]],
  [": a comment\ndata\n\n", [["message", "", ""]]],
  ["data:  two spaces\nunknown: x\n\n", [["message", " two spaces", ""]]],
  ["id: 1\0\nid: 2\nevent: none\n\nretry: 15\nretry: 1x\nretry: -1\n\ndata: a\n\n", [["retry", 15], ["message", "a", "2"]]],
  ["data: it never ends", []],
  ["data: \u{1F980}ü\u2028\n\n", [["message", "\u{1F980}ü\u2028", ""]]],
];

test("a stream is read as the standard says, however it is cut", () => {
  for (const [text, expected] of CASES) {
    assert.deepEqual(parsed([text]), expected, JSON.stringify(text));
    assert.deepEqual(parsed([...text]), expected, `letter by letter: ${JSON.stringify(text)}`);
    for (let at = 0; at <= text.length; at += 1) {
      assert.deepEqual(parsed([text.slice(0, at), text.slice(at)]), expected, `${JSON.stringify(text)} at ${at}`);
    }
  }
});

test("an event without an id has the last one's", () => {
  assert.deepEqual(parsed(["data: a\n\nid\ndata: b\n\n"], "7"), [["message", "a", "7"], ["message", "b", ""]]);
});
