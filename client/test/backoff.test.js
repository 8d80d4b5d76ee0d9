import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../dist/backoff.js";

test("each wait is twice as long, up to the most, and reset by success", () => {
  const backoff = new Backoff({ first: 100, most: 1_000 });
  const waits = () => [0, 1, 0.5, 0, 1, 1].map((random) => backoff.next(() => random));
  assert.deepEqual(waits(), [50, 200, 300, 400, 1_000, 1_000]);
  backoff.reset();
  assert.equal(backoff.next(() => 1), 100);
});

test("nobody comes sooner than the server asked, nor all at once", () => {
  const backoff = new Backoff({ first: 100, most: 1_000 });
  backoff.lasting(400);
  assert.equal(backoff.next(() => 0), 400);
  assert.equal(backoff.next(() => 1), 500);
  assert.equal(backoff.next(() => 0), 400);
  assert.equal(backoff.next(() => 1), 800);
  backoff.lasting(0);
  backoff.reset();
  assert.equal(backoff.next(() => 0), 50);
});

test("what was asked once counts once, and no timer can't take it", () => {
  const backoff = new Backoff({ first: 100, most: 1_000 });
  backoff.once(3_600_000);
  assert.equal(backoff.next(() => 0), 3_600_000);
  assert.equal(backoff.next(() => 0), 100);
  backoff.lasting(2 ** 64);
  assert.equal(backoff.next(() => 1), 2 ** 31 - 1);
  assert.equal(backoff.longest, 2 ** 31 - 1);
});
