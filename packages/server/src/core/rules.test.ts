import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Breaker, breakerAfter, CLOSED_BREAKER, FAILURES_TO_OPEN, mayTry } from './breaker.ts';
import { explain } from './explain.ts';
import { idTime, isId, newId } from './id.ts';
import { judge, type Outcome } from './outcome.ts';
import { newRamp, rampAfter } from './ramp.ts';
import { parseRetryAfter, retryAfterMs } from './retry-after.ts';
import { ASPNET_SCHEDULE, nextDueAt, parseSchedule, STANDARD_SCHEDULE } from './schedule.ts';
import { createSealer, SealError } from './seal.ts';

const NOW = Date.UTC(2026, 8, 1, 12);

function answer(status: number, headers: readonly (readonly [string, string])[] = []): Outcome {
  return { kind: 'response', status, response: { headers, body: '', truncated: false } };
}

test('ids sort by time and by order, and hold their time', () => {
  const ids = [newId(NOW), newId(NOW), newId(NOW - 5000), newId(NOW + 1)];
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, 4);
  for (const id of ids) assert.ok(isId(id));
  assert.equal(idTime(newId(NOW + 60_000)), NOW + 60_000);
});

test('ids of one millisecond never repeat, however many', () => {
  const ids = new Set(Array.from({ length: 20_000 }, () => newId(NOW)));
  assert.equal(ids.size, 20_000);
});

test('2xx delivers, 410 ends, everything else is tried again', () => {
  for (const status of [200, 201, 202, 204, 299]) assert.equal(judge(answer(status)), 'delivered');
  assert.equal(judge(answer(410)), 'gone');
  for (const status of [301, 304, 400, 401, 404, 429, 500, 503, 600])
    assert.equal(judge(answer(status)), 'retry');
  assert.equal(judge({ kind: 'timeout', phase: 'response', afterMs: 1 }), 'retry');
});

test('every wait is within a fifth of the schedule, and after the last there is none', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attemptsMade, random) => {
        const wait = STANDARD_SCHEDULE[attemptsMade] ?? 0;
        const due =
          nextDueAt({
            schedule: STANDARD_SCHEDULE,
            attemptsMade,
            now: NOW,
            random,
            retryAfterMs: null,
          }) ?? 0;
        assert.ok(due - NOW >= wait * 0.8 - 1 && due - NOW <= wait * 1.2 + 1);
      },
    ),
  );
  assert.equal(
    nextDueAt({
      schedule: STANDARD_SCHEDULE,
      attemptsMade: 11,
      now: NOW,
      random: 0,
      retryAfterMs: null,
    }),
    undefined,
  );
  assert.equal(STANDARD_SCHEDULE.reduce((sum, wait) => sum + wait, 0) / 3_600_000 > 75, true);
});

test('Retry-After makes a wait longer, never shorter, and an hour at most', () => {
  const due = (retryAfter: number | null): number | undefined =>
    nextDueAt({
      schedule: [0, 5000],
      attemptsMade: 1,
      now: NOW,
      random: 0.5,
      retryAfterMs: retryAfter,
    });
  assert.equal(due(null), NOW + 5000);
  assert.equal(due(0), NOW + 5000);
  assert.equal(due(120_000), NOW + 120_000);
  assert.equal(due(86_400_000), NOW + 3_600_000);
});

test('Retry-After is read as seconds or as a date in any of its forms, and garbage is passed over', () => {
  assert.equal(parseRetryAfter('120', NOW), 120_000);
  assert.equal(parseRetryAfter('Tue, 01 Sep 2026 12:00:30 GMT', NOW), 30_000);
  assert.equal(parseRetryAfter('Tuesday, 01-Sep-26 12:00:30 GMT', NOW), 30_000);
  assert.equal(parseRetryAfter('Tue Sep  1 12:00:30 2026', NOW), 30_000);
  for (const text of [
    '-1',
    'soon',
    '1.5',
    '',
    '9'.repeat(5000),
    'Tue, 01 Sep 2020 12:00:00 GMT',
    'Tue, 01 Foo 2026 12:00:00 GMT',
  ]) {
    assert.equal(parseRetryAfter(text, NOW), null, text);
  }
  assert.equal(retryAfterMs(answer(429, [['retry-after', '7']]), NOW), 7000);
  assert.equal(retryAfterMs(answer(500, [['retry-after', '7']]), NOW), null);
});

test('schedules are written as waits or by name', () => {
  assert.deepEqual(parseSchedule('0s,5s,1m'), [0, 5000, 60_000]);
  assert.equal(parseSchedule('aspnet'), ASPNET_SCHEDULE);
  for (const text of ['', 'often', '1', '0s,,1s'])
    assert.throws(() => parseSchedule(text), RangeError);
});

function fail(breaker: Breaker, now: number): Breaker {
  return breakerAfter(breaker, { ok: false, now, random: 0.5 });
}

test('a breaker opens after ten failures in a row, and a success in between starts the count again', () => {
  let breaker: Breaker = CLOSED_BREAKER;
  for (let n = 1; n < FAILURES_TO_OPEN; n += 1) breaker = fail(breaker, NOW);
  assert.equal(breaker.state, 'closed');
  breaker = breakerAfter(breaker, { ok: true, now: NOW, random: 0 });
  for (let n = 0; n < FAILURES_TO_OPEN; n += 1) breaker = fail(breaker, NOW);
  assert.deepEqual(breaker, { state: 'open', until: NOW + 5000, openForMs: 5000 });
});

test('an open breaker lets one probe at a time through, and each that fails doubles the wait up to ten minutes', () => {
  let breaker: Breaker = { state: 'open', until: NOW, openForMs: 5000 };
  assert.equal(mayTry(breaker, { now: NOW - 1, inFlight: 0 }), false);
  assert.equal(mayTry(breaker, { now: NOW, inFlight: 1 }), false);
  assert.equal(mayTry(breaker, { now: NOW, inFlight: 0 }), true);
  const waits: number[] = [];
  let now = NOW;
  for (let n = 0; n < 8; n += 1) {
    breaker = fail(breaker, now);
    assert.ok(breaker.state === 'open');
    waits.push((breaker.until - now) / 1000);
    now = breaker.until;
  }
  assert.deepEqual(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
  assert.equal(breakerAfter(breaker, { ok: true, now, random: 0 }), CLOSED_BREAKER);
});

test('failures that come in while it is open say nothing new', () => {
  const breaker: Breaker = { state: 'open', until: NOW + 5000, openForMs: 5000 };
  assert.equal(fail(breaker, NOW), breaker);
});

const took = (outcome: Outcome, durationMs = 5) => ({ outcome, durationMs });

test('concurrency ramps 1, 2, 4 to its limit while answers are good and halves on overload', () => {
  let ramp = newRamp(8);
  const seen = new Set<number>();
  for (let n = 0; n < 20; n += 1) {
    seen.add(ramp.concurrency);
    ramp = rampAfter(ramp, took(answer(200)));
  }
  assert.deepEqual([...seen], [1, 2, 4, 8]);
  for (const outcome of [answer(429), answer(503)]) ramp = rampAfter(ramp, took(outcome));
  assert.equal(ramp.concurrency, 2);
  assert.equal(rampAfter(ramp, took(answer(500))).concurrency, 2);
  for (let n = 0; n < 5; n += 1)
    ramp = rampAfter(ramp, took({ kind: 'timeout', phase: 'connect', afterMs: 1 }));
  assert.equal(ramp.concurrency, 1);
});

test('every outcome explains itself, and none shows an address', () => {
  const cases: [Outcome, string, RegExp][] = [
    [answer(204), 'http_2xx', /delivered/],
    [
      answer(302, [['location', 'https://login.example/?token=secret']]),
      'http_3xx',
      /points to a login page: https:\/\/login\.example\/\./,
    ],
    [answer(401), 'http_4xx', /credentials/],
    [answer(418), 'http_4xx', /418: it refused/],
    [answer(410), 'gone', /switched off/],
    [answer(429), 'http_4xx', /fewer requests/],
    [answer(500), 'http_5xx', /500: it failed/],
    [answer(999), 'http_other', /not a success/],
    [{ kind: 'timeout', phase: 'connect', afterMs: 5000 }, 'connect_timeout', /within 5 s/],
    [{ kind: 'timeout', phase: 'tls', afterMs: 5000 }, 'connect_timeout', /TLS handshake/],
    [
      { kind: 'timeout', phase: 'response', afterMs: 15_000 },
      'timeout',
      /did not answer within 15 s/,
    ],
    [
      { kind: 'dns_error', host: 'receiver.example', code: 'ENOTFOUND' },
      'dns_error',
      /receiver\.example has no address/,
    ],
    [{ kind: 'connect_error', code: 'ECONNREFUSED' }, 'connect_refused', /Nothing listens/],
    [{ kind: 'connect_error', code: 'ECONNRESET' }, 'connect_reset', /closed the connection/],
    [{ kind: 'connect_error', code: 'EHOSTUNREACH' }, 'connect_error', /EHOSTUNREACH/],
    [{ kind: 'tls_error', code: 'CERT_HAS_EXPIRED' }, 'tls_error', /expired/],
    [{ kind: 'tls_error', code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'tls_error', /another name/],
    [{ kind: 'tls_error', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'tls_error', /signed by itself/],
    [{ kind: 'protocol_error', code: 'HPE_INVALID_CONSTANT' }, 'protocol_error', /not HTTP/],
    [{ kind: 'headers_too_large' }, 'headers_too_large', /16 KiB/],
    [{ kind: 'blocked', rule: 'address' }, 'policy_blocked', /ask the operator/],
    [{ kind: 'blocked', rule: 'headers' }, 'policy_blocked', /Change the Headers/],
    [
      { kind: 'connect_error', code: 'PROXY_REFUSED' },
      'connect_error',
      /proxy of this installation/,
    ],
  ];
  for (const [outcome, outcomeClass, sentence] of cases) {
    const explained = explain(outcome);
    assert.equal(explained.class, outcomeClass);
    assert.match(explained.sentence, sentence);
    assert.doesNotMatch(explained.sentence, /token|127\.|169\.254/);
  }
});

test('what is sealed opens with its key at its place, and nowhere else', () => {
  const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const place = { tenant: 't', owner: 'r', field: 'Secret' };
  const sealer = createSealer([first]);
  const sealed = sealer.seal('a secret ø', place);
  assert.doesNotMatch(sealed, /secret/);
  assert.notEqual(sealer.seal('a secret ø', place), sealed);
  assert.equal(createSealer([second, first]).open(sealed, place), 'a secret ø');
  assert.equal(createSealer([second, first]).isCurrent(sealed), false);
  for (const other of [
    { ...place, tenant: 'x' },
    { ...place, owner: 'x' },
    { ...place, field: 'x' },
  ]) {
    assert.throws(() => sealer.open(sealed, other), SealError);
  }
  assert.throws(() => createSealer([second]).open(sealed, place), SealError);
  assert.throws(() => sealer.open(sealed.slice(0, -2), place), SealError);
  assert.throws(() => sealer.open('v1.', place), SealError);
  assert.throws(() => createSealer([new Uint8Array(31)]), RangeError);
});
