import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AppError } from './errors.ts';
import { ownIdempotencyKey, readIdempotencyKey, readPublication } from './publication.ts';

function refusal(text: string, kind: 'json' | 'ndjson' = 'json'): string {
  try {
    readPublication(text, kind);
  } catch (error) {
    if (error instanceof AppError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

test('one notification is one event, character for character', () => {
  const text = '{ "n": 12345678901234567890, "Action": "A" , "x":1.0 }';
  const [event, ...rest] = readPublication(` ${text}\n`, 'json');
  assert.deepEqual(event, {
    notifications: [{ text, action: 'A' }],
    tenant: null,
    idempotencyKey: null,
    occurredAt: null,
  });
  assert.deepEqual(rest, []);
});

test('an event holds several notifications and says whose and when', () => {
  const text =
    '{"notifications":[{"Action":"A"}, {"Action":"B","b":1}],"TENANT":"north","OccurredAt":"2026-09-01T08:00:00+02:00","idempotencyKey":"k"}';
  assert.deepEqual(readPublication(text, 'json'), [
    {
      notifications: [
        { text: '{"Action":"A"}', action: 'A' },
        { text: '{"Action":"B","b":1}', action: 'B' },
      ],
      tenant: 'north',
      idempotencyKey: 'k',
      occurredAt: Date.UTC(2026, 8, 1, 6),
    },
  ]);
});

test('arrays and lines hold either', () => {
  assert.equal(
    readPublication('[{"Action":"A"},{"Notifications":[{"Action":"B"}]}]', 'json').length,
    2,
  );
  assert.equal(
    readPublication('{"Action":"A"}\n\n{"Notifications":[{"Action":"B"}]}\r\n', 'ndjson').length,
    2,
  );
});

test('members of a notification that are named as those of an event are its own', () => {
  const text = '{"Tenant":{"x":1},"tenant":2,"Action":"A","OccurredAt":"whenever"}';
  assert.deepEqual(readPublication(text, 'json')[0]?.notifications, [{ text, action: 'A' }]);
});

test('what cannot be an event is refused with a sentence', () => {
  const cases: [string, RegExp][] = [
    ['', /bad_request: The body is empty/],
    ['5', /An event is a JSON object/],
    ['[]', /The array holds no event/],
    ['{}', /A notification needs an Action/],
    ['{"action":"A"}', /A notification needs an Action/],
    ['{"Action":5}', /Action is a name of 1 to 128 characters/],
    ['{"Action":"*"}', /and not '\*'/],
    ['{"Action":""}', /Action is a name/],
    ['{"Action":"a\\u0000"}', /without control characters/],
    [`{"Action":"${'a'.repeat(129)}"}`, /1 to 128/],
    ['{"Action":"A","Action":"B"}', /"Action" stands twice/],
    ['{"Notifications":[]}', /Notifications is empty/],
    ['{"Notifications":[5]}', /A notification is a JSON object/],
    [
      '{"Notifications":[{"Action":"A"}],"Action":"B"}',
      /An event with Notifications has no member "Action"/,
    ],
    [
      '{"Action":"B","Notifications":[{"Action":"A"}]}',
      /An event with Notifications has no member "Action"/,
    ],
    ['{"Notifications":[{"Action":"A"}],"Note":1}', /no member "Note"/],
    ['{"Notifications":[{"Action":"A"}],"Tenant":"a","TENANT":"b"}', /stands twice/],
    ['{"Tenant":"a","tenant":"b","Notifications":[{"Action":"A"}]}', /"tenant" stands twice/],
    ['{"Notifications":[{"Action":"A"}],"notifications":[{"Action":"A"}]}', /stands twice/],
    ['{"Notifications":[{"Action":"A"}],"Tenant":"A B"}', /Tenant cannot be read/],
    ['{"Notifications":[{"Action":"A"}],"OccurredAt":"yesterday"}', /OccurredAt cannot be read/],
    ['{"Notifications":[{"Action":"A"}],"OccurredAt":"2026-02-31T00:00:00"}', /with its zone/],
    ['{"Notifications":[{"Action":"A"}],"OccurredAt":"2026-02-30T00:00:00Z"}', /cannot be read/],
    ['{"Notifications":[{"Action":"A"}],"OccurredAt":"2026-09-01T24:00:00Z"}', /cannot be read/],
    ['{"Action":"A","notifications":["n"]}', /has no member "Action"/],
    ['{"Notifications":[{"Action":"A"}],"__proto__":{}}', /no member "__proto__"/],
    ['\ufeff{"Action":"A"}', /unexpected U\+FEFF at character 1/],
    ['['.repeat(100_000), /Event 1: Too deep/],
    ['[{"Action":"A"},{"Action":5}]', /Event 2: Action is/],
    ['[{"Action":"A"},{"Action":]', /Event 2: Not JSON/],
    [`{"Action":"A","x":${'['.repeat(64)}${']'.repeat(64)}}`, /Too deep/],
  ];
  for (const [text, message] of cases) assert.match(refusal(text), message, text);
  assert.match(refusal('{"Action":"A"}\n{', 'ndjson'), /Line 2: Not JSON/);
  assert.match(refusal('{"Action":"A"} {"Action":"B"}', 'ndjson'), /Line 1: Not JSON/);
  assert.match(refusal('\n \n', 'ndjson'), /The body holds no event/);
  assert.match(refusal('\u00a0\n{"Action":"A"}', 'ndjson'), /Line 1: Not JSON: unexpected U\+00A0/);
});

test('there are limits to how much and how many', () => {
  assert.match(
    refusal(`[${Array(1001).fill('{"Action":"A"}').join(',')}]`),
    /too_large: A call takes at most 1000 events/,
  );
  assert.match(
    refusal(`{"Notifications":[${Array(1001).fill('{"Action":"A"}').join(',')}]}`),
    /too_large/,
  );
  const large = (size: number): string => `{"Action":"A","x":"${'x'.repeat(size)}"}`;
  assert.match(refusal(large(256 * 1024)), /too_large: A notification takes at most 256 KiB/);
  assert.equal(refusal(large(256 * 1024 - 30)), 'accepted');
  assert.match(refusal(`{"Action":"A","x":"${'é'.repeat(128 * 1024)}"}`), /too_large/);
});

test('a notification that is kept does not keep the body it came in', () => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const one = `{"Action":"CourseEnrollment","x":"${'x'.repeat(900)}"}`;
  const body = Buffer.from(`[${Array(1000).fill(one).join(',')}]`);
  const before = heap();
  const kept = Array.from(
    { length: 50 },
    () => readPublication(body.toString(), 'json')[500]?.notifications[0],
  );
  const bytesEach = (heap() - before) / kept.length;
  assert.ok(bytesEach < body.length / 10, `${bytesEach} bytes each`);
});

test('no key from outside is one of our own', () => {
  const own = ownIdempotencyKey('Schoolbell.Manifest r1 2026-09-01');
  assert.equal(readIdempotencyKey(own), undefined);
  assert.match(
    refusal(JSON.stringify({ Notifications: [{ Action: 'A' }], IdempotencyKey: own })),
    /^bad_request: IdempotencyKey cannot be read/,
  );
});
