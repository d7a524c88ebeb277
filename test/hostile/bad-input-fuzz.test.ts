import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { credentialsOf } from '../../packages/server/src/api/credentials.ts';
import { limitOf, readQuery, timeOf } from '../../packages/server/src/api/query.ts';
import { AppError } from '../../packages/server/src/core/errors.ts';
import { isId } from '../../packages/server/src/core/id.ts';
import { readPublication } from '../../packages/server/src/core/publication.ts';
import { parseAllow } from '../../packages/server/src/egress/allow.ts';
import { checkUri } from '../../packages/server/src/egress/uri.ts';
import { readPage } from '../../packages/server/src/service/page.ts';
import { readRegistration } from '../../packages/server/src/service/registration-draft.ts';

const NOTHING_ALLOWED = parseAllow([], false);

/** Refusals are sentences; anything else that is thrown would be a 500. */
function refusesOrReads(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.ok(error.status < 500);
  }
}

/** Text with a piece cut out, doubled or replaced. */
function mutated(texts: readonly string[]): fc.Arbitrary<string> {
  const odd = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(
      '"',
      '\\',
      '{',
      '[',
      ']',
      '}',
      ',',
      ':',
      '//',
      '/*',
      '@',
      '#',
      '?',
      '%',
      '\u0000',
      '\ud800',
      '\u3002',
    ),
  );
  return fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat({ max: 8 }), odd)
    .map(([text, at, length, piece]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + piece + text.slice(start + length);
    });
}

const BODIES = [
  '{"Action":"CourseCompleted","Course":{"Id":"17","n":[1,2.5e-3,null,true]},"s":"\\u0041\\n"}',
  '{"Notifications":[{"Action":"A"},{"Action":"B","x":{}}],"Tenant":"t","IdempotencyKey":"k","OccurredAt":"2026-01-01T00:00:00Z"}',
  '[{"Action":"A"},{"Notifications":[{"Action":"B"}]}]',
];
const REGISTRATION =
  '{"Id":"1","WebHookUri":"https://a.example/?noecho","Secret":"12345678901234567890123456789012","Filters":["*"],"Headers":{"X":"y"},"Properties":{"a":{"b":[1]}},"IsPaused":false,/* c */"Description":null}';

test('mangled publications are read or refused, and what is read is what JSON.parse reads', () => {
  fc.assert(
    fc.property(
      mutated(BODIES),
      fc.constantFrom('json' as const, 'ndjson' as const),
      (body, kind) => {
        refusesOrReads(() => {
          for (const { notifications } of readPublication(body, kind))
            for (const { text, action } of notifications)
              assert.equal(JSON.parse(text).Action, action);
        });
      },
    ),
    { numRuns: 5000 },
  );
});

test('mangled registrations are read or refused, and their properties are JSON', () => {
  fc.assert(
    fc.property(mutated([REGISTRATION]), (body) => {
      refusesOrReads(() => JSON.parse(readRegistration(body)?.properties ?? '{}'));
    }),
    { numRuns: 5000 },
  );
});

test('a mangled URI is refused, or is what the URL standard reads with no more than a public host', () => {
  const uris = [
    'https://receiver.example/hook?a=1&b=%2F#x',
    'http://93.184.216.34:8080/hook',
    'https://[2606:4700:4700::1111]/hook',
    'http://127.0.0.1/hook',
    'http://user:pass@10.0.0.1/',
    'https://xn--bcher-kva.example/',
  ];
  fc.assert(
    fc.property(mutated(uris), (uri) => {
      const verdict = checkUri(uri, NOTHING_ALLOWED);
      if (!verdict.ok) {
        assert.match(verdict.sentence, /\.$/);
        return;
      }
      const { protocol, hostname, username, password } = new URL(uri);
      assert.match(protocol, /^https?:$/);
      assert.deepEqual([username, password], ['', '']);
      assert.doesNotMatch(hostname, /^(127|10|0|169\.254|192\.168)\.[\d.]+$|^localhost$|^\[::1\]$/);
    }),
    { numRuns: 20_000 },
  );
});

test('Basic gives back the password after the first colon, whatever it is, and Bearer the key', () => {
  const text = fc
    .string({ unit: 'grapheme' })
    .filter((each) => !/\p{Cc}/u.test(each) && each.isWellFormed());
  fc.assert(
    fc.property(
      text,
      text,
      fc.constantFrom('Basic', 'basic', 'BASIC'),
      (user, password, scheme) => {
        fc.pre(!user.includes(':'));
        const header = `${scheme} ${Buffer.from(`${user}:${password}`).toString('base64')}`;
        assert.equal(credentialsOf(header), password);
      },
    ),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (header) => {
      const key = credentialsOf(header);
      assert.ok(key === undefined || !/\p{Cc}/u.test(key));
    }),
    { numRuns: 5000 },
  );
  assert.equal(credentialsOf(`Bearer ${'x'.repeat(9000)}`), undefined);
});

test('a cursor is one of ours or refused, and goes round unchanged', async () => {
  const asked: unknown[] = [];
  const read = (query: { readonly before?: string }) => {
    asked.push(query.before);
    return Promise.resolve([]);
  };
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 100 }), async (cursor) => {
      asked.length = 0;
      try {
        await readPage({ cursor, limit: 10 }, read);
        assert.ok(isId(String(asked[0])));
      } catch (error) {
        assert.ok(error instanceof AppError && error.status === 400);
      }
    }),
    { numRuns: 5000 },
  );
  const id = '0190000000007000800000000000ffff';
  await readPage({ cursor: Buffer.from(id).toString('base64url'), limit: 10 }, read);
  assert.equal(asked.at(-1), id);
});

test('a query is read or refused, and an unknown or repeated parameter never passes', () => {
  const known = ['from', 'to', 'cursor', 'limit'];
  const name = fc.oneof(
    fc.constantFrom(...known, 'LIMIT', '__proto__', 'x'),
    fc.string({ maxLength: 5 }),
  );
  const pairs = fc.array(fc.tuple(name, fc.string({ unit: 'binary', maxLength: 20 })), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(pairs, fc.boolean(), (all, isRaw) => {
      const search = isRaw
        ? all.map(([key, value]) => `${key}=${value}`).join('&')
        : new URLSearchParams(
            all.map(([key, value]): [string, string] => [key.toWellFormed(), value.toWellFormed()]),
          ).toString();
      refusesOrReads(() => {
        const query = readQuery({ url: `/x?${search}` } as FastifyRequest, known);
        assert.ok([...query.keys()].every((key) => known.includes(key)));
        const limit = limitOf(query);
        assert.ok(Number.isInteger(limit) && limit >= 1 && limit <= 1000);
        const from = timeOf(query, 'from');
        assert.ok(from === undefined || Number.isSafeInteger(from));
      });
    }),
    { numRuns: 5000 },
  );
});
