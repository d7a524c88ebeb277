import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { explain } from '../../packages/server/src/core/explain.ts';
import type { Outcome } from '../../packages/server/src/core/outcome.ts';
import type { Egress } from '../../packages/server/src/egress/port.ts';
import { brief, openEgress, post } from '../../packages/server/src/egress/testing/open-egress.ts';
import {
  answers,
  closeServers,
  plain,
  rawServer,
} from '../../packages/server/src/egress/testing/raw-server.ts';
import { flood, type Row, ROWS } from './receivers-rows.ts';

/** For what nothing but the deadline ends, and for what ends by itself on however slow a machine. */
const DEADLINE_MS = 1500;
const FAR_DEADLINE_MS = 20_000;
const AT_ONCE = 12;

let egress: Egress;
let patient: Egress;
before(() => {
  egress = openEgress({ requestTimeoutMs: DEADLINE_MS });
  patient = openEgress({ requestTimeoutMs: FAR_DEADLINE_MS, connectTimeoutMs: FAR_DEADLINE_MS });
});
after(() => Promise.all([egress.close(), patient.close(), closeServers()]));

describe('an attempt at a hostile receiver', { concurrency: 32 }, () => {
  for (const row of ROWS) {
    test(`${row.id}: ${row.behaviour}: ends as ${row.ends.join(' or ')}`, () => holds(row));
  }
});

/** Several attempts at once: each ends in time, in the same way, and within its limits. */
async function holds(row: Row): Promise<void> {
  const [sender, deadlineMs] = isEndedByDeadline(row)
    ? [egress, DEADLINE_MS]
    : [patient, FAR_DEADLINE_MS];
  const server = await rawServer(row.serve);
  const body = Buffer.alloc(row.bodyBytes ?? 10, 'a');
  const attempts = Array.from({ length: AT_ONCE }, async () => {
    const startedAt = performance.now();
    const outcome = await sender.send(
      post(`http://127.0.0.1:${server.port}/hook`, { body, pool: row.id }),
    );
    return { outcome, tookMs: performance.now() - startedAt };
  });
  for (const { outcome, tookMs } of await Promise.all(attempts)) {
    assert.ok(row.ends.includes(ending(outcome)), `${row.id} ended as ${JSON.stringify(outcome)}`);
    assert.ok(tookMs < deadlineMs + 1000, `${row.id} took ${tookMs} ms`);
    assertWithinLimits(outcome);
  }
  sender.forget(row.id);
  await server.close();
}

/** A status, with whether the body was cut, or the class that a tenant reads. */
function ending(outcome: Outcome): string {
  return outcome.kind === 'response' ? brief(outcome) : explain(outcome).class;
}

/** What goes on for ever, or comes to a stop without an end. */
function isEndedByDeadline({ isEndless = false, ends }: Row): boolean {
  return isEndless || ends.includes('timeout');
}

function assertWithinLimits(outcome: Outcome): void {
  if (outcome.kind !== 'response') return;
  const { headers, body } = outcome.response;
  assert.ok(body.length <= 65_536);
  assert.ok(headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0) <= 16_384);
  assert.ok(!JSON.stringify(headers).includes('secret'));
}

test('a good receiver is served while a hundred bad ones are being waited for', async () => {
  const silent = await rawServer((socket) => socket.resume());
  const good = await rawServer(answers(plain(200, 'ok')));
  const waiting = Array.from({ length: 100 }, (_, index) =>
    egress.send(post(`http://127.0.0.1:${silent.port}/`, { pool: `silent ${index}` })),
  );
  const startedAt = performance.now();
  for (let count = 0; count < 50; count += 1) {
    assert.equal(brief(await egress.send(post(`http://127.0.0.1:${good.port}/`))), '200');
  }
  assert.ok(performance.now() - startedAt < 1000);
  assert.deepEqual(new Set((await Promise.all(waiting)).map(brief)), new Set(['timeout']));
  await Promise.all([silent.close(), good.close()]);
});

test('what the parser throws away is not read for ever', async () => {
  let written = 0;
  const server = await rawServer(
    answers('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;', (socket) => {
      socket.on('close', () => (written = socket.bytesWritten));
      flood(socket, 'a'.repeat(4096));
    }),
  );
  const outcome = await egress.send(
    post(`http://127.0.0.1:${server.port}/`, { pool: 'thrown away' }),
  );
  await server.close();
  assert.equal(brief(outcome), '200 truncated');
  assert.ok(written < 32 * 1024 * 1024, `${written} bytes`);
});
