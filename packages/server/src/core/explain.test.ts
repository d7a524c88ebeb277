import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Attempt } from './attempt.ts';
import { type Facts, historyOf } from './explain-history.ts';
import { SENTENCES, type SentenceKey } from './explain-sentences.ts';
import { explain, explainAttempt, type Explanation } from './explain.ts';
import type { Outcome } from './outcome.ts';

const answer = (status: number, location?: string): Outcome => ({
  kind: 'response',
  status,
  response: {
    headers: location === undefined ? [] : [['Location', location]],
    body: '',
    truncated: false,
  },
});

const NOW = Date.parse('2026-09-04T09:30:00Z');
const at = (time: string): number => Date.parse(`2026-09-04T${time}:00Z`);

function attempt(outcome: Outcome, startedAt = NOW, durationMs = 20): Attempt {
  const signedBy = { ms: '#1', standard: ['#1'] };
  return {
    deliveryId: 'd',
    number: 1,
    startedAt,
    durationMs,
    outcome,
    requestHeaders: [],
    signedBy,
  };
}

const told = new Set<SentenceKey>();

/** The sentence, and note taken of which were told. */
function sentence({ remarks, sentence: whole }: Explanation): string {
  for (const { key } of remarks) told.add(key);
  return whole;
}

const NO_CHANGES: Facts = { secretChangedAt: null, registrationChangedAt: null, isWhole: true };

/** What the last of these attempts says. */
function after(attempts: readonly [time: string, outcome: Outcome][], facts: Partial<Facts> = {}) {
  const all = attempts.map(([time, outcome]) => attempt(outcome, at(time)));
  const last = all.at(-1) as Attempt;
  return sentence(explainAttempt(last, historyOf(last, all, { ...NO_CHANGES, ...facts })));
}

test('every status that can be answered has a class and a whole sentence', () => {
  for (let status = 100; status <= 999; status += 1) {
    const explained = explain(answer(status));
    assert.match(explained.class, /^(http_([2345]xx|other)|gone)$/, `${status}`);
    assert.match(
      sentence(explained),
      new RegExp(String.raw`^The receiver answered ${status}\b.*\.$`),
    );
  }
});

test('certificates are explained by what is wrong with them', () => {
  const cases: [code: string, said: RegExp][] = [
    ['CERT_HAS_EXPIRED', /has expired/],
    ['CERT_NOT_YET_VALID', /not valid yet/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /another name/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /known authority/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /intermediate certificate/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /unknown authority/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', /older than 1\.2/],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', /older than 1\.2/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /client certificate/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
    ['EPROTO', /failed \(EPROTO\)/],
  ];
  for (const [code, said] of cases) {
    assert.match(sentence(explain({ kind: 'tls_error', code })), said, code);
  }
});

test('a certificate tells its dates, counted from the attempt', () => {
  const tls = (code: string, validFrom: string, validTo: string) => {
    const certificate = { validFrom: Date.parse(validFrom), validTo: Date.parse(validTo) };
    return sentence(explainAttempt(attempt({ kind: 'tls_error', code, certificate })));
  };
  const expired = (validTo: string) => tls('CERT_HAS_EXPIRED', '2026-01-01', validTo);
  assert.equal(
    expired('2026-09-01T09:00:00Z'),
    'The certificate of the receiver expired on 2026-09-01, 3 days before this attempt. It must be renewed.',
  );
  assert.match(expired('2026-09-03T08:00:00Z'), /on 2026-09-03, a day before this attempt/);
  assert.match(expired('2026-09-04T08:00:00Z'), /on 2026-09-04 08:00 UTC, less than a day before/);
  assert.match(
    tls('CERT_NOT_YET_VALID', '2026-09-05T00:00:00Z', '2027-01-01'),
    /is valid from 2026-09-05 00:00 UTC on, which is after this attempt/,
  );
  assert.match(expired('+275760-09-13T00:00:00.000Z'), /has expired/);
  const ends = { ...answer(200), certificateEndsAt: Date.parse('2026-09-09T00:00:00Z') };
  assert.match(
    sentence(explain(ends)),
    /delivered\. The certificate of the receiver ends on 2026-09-09/,
  );
});

test('a name that does not exist is told from name servers that do not answer', () => {
  const dns = (code: string): Outcome => ({ kind: 'dns_error', host: 'lms.example', code });
  assert.match(sentence(explain(dns('ENOTFOUND'))), /lms\.example has no address at the moment/);
  assert.match(
    sentence(explain(dns('ETIMEOUT'))),
    /lms\.example could not be looked up \(ETIMEOUT/,
  );
  assert.match(
    after([
      ['08:00', answer(200)],
      ['08:10', dns('ENOTFOUND')],
      ['08:20', dns('ENOTFOUND')],
    ]),
    /has no address any more; it had one when a delivery arrived on 2026-09-04 08:00 UTC\..* It has been so since 2026-09-04 08:10 UTC\.$/,
  );
});

test('time-outs say which step took too long, and how long it was', () => {
  const timeout = (phase: 'connect' | 'tls' | 'response', afterMs: number) =>
    sentence(explain({ kind: 'timeout', phase, afterMs }));
  assert.match(timeout('tls', 15_000), /^The TLS handshake timed out after 15 s\./);
  assert.match(timeout('connect', 5000), /^No connection came about within 5 s\./);
  assert.match(timeout('response', 15_040), /^The receiver did not answer within 15 s\./);
  assert.match(timeout('connect', 0), /^No connection came about in time\./);
});

test('what never became a connection or an answer is named', () => {
  const cases: [outcome: Outcome, said: RegExp][] = [
    [{ kind: 'connect_error', code: 'ECONNREFUSED' }, /Nothing listens/],
    [{ kind: 'connect_error', code: 'ECONNRESET' }, /closed the connection without an answer/],
    [{ kind: 'connect_error', code: 'EHOSTUNREACH' }, /\(EHOSTUNREACH\)/],
    [{ kind: 'connect_error', code: 'PROXY_REFUSED' }, /The proxy of this installation/],
    [{ kind: 'protocol_error', code: 'HPE_INVALID' }, /not HTTP \(HPE_INVALID\)/],
    [{ kind: 'headers_too_large' }, /more than 16 KiB of headers/],
    [{ kind: 'blocked', rule: 'headers' }, /Change the Headers/],
    [{ kind: 'blocked', rule: 'erased' }, /carried was erased, so nothing was sent/],
  ];
  for (const [outcome, said] of cases) assert.match(sentence(explain(outcome)), said);
  // A refused address is never named.
  const blocked = sentence(explain({ kind: 'blocked', rule: '10.0.0.0/8' }));
  assert.match(blocked, /not one that this installation sends to/);
  assert.doesNotMatch(blocked, /\d/);
});

test('a redirect to a login page is told from one to another address', () => {
  const to = (location?: string) => sentence(explain(answer(302, location)));
  for (const login of [
    'https://login.microsoftonline.com/common/oauth2/authorize?client_id=x',
    '/Account/Login?ReturnUrl=%2Fhook',
    'https://idp.school.example/saml2/sso',
    'https://lms.example/sign-in',
  ])
    assert.match(to(login), /^The receiver answered 302 and points to a login page: /, login);
  for (const other of ['https://lms.example/hooks/', '/authors/blogin', 'https://www.lms.example'])
    assert.match(
      to(other),
      /^The receiver answered 302 and points to \S+\. Redirects are not/,
      other,
    );
  assert.match(to(), /does not say where to go/);
});

test('a refusal right after the secret was changed says so, and since when', () => {
  const secretChangedAt = at('09:11');
  assert.equal(
    after(
      [
        ['09:00', answer(200)],
        ['09:12', answer(401)],
        ['09:17', answer(401)],
        ['09:20', answer(401)],
      ],
      { secretChangedAt },
    ),
    'The receiver answered 401: it wants other credentials. Check the Authorization header or the secret of the registration. It has been so since 2026-09-04 09:12 UTC, right after the secret of the registration was changed on 2026-09-04 09:11 UTC: give the receiver the new secret.',
  );
  // The first of them says it already.
  assert.match(
    after(
      [
        ['09:00', answer(200)],
        ['09:12', answer(401)],
      ],
      { secretChangedAt },
    ),
    /right after the secret/,
  );
  const without: [attempts: [string, Outcome][], facts: Partial<Facts>][] = [
    // It arrived after the change.
    [
      [
        ['09:12', answer(200)],
        ['09:13', answer(401)],
      ],
      { secretChangedAt },
    ],
    // It was refused before the change.
    [
      [
        ['09:00', answer(200)],
        ['09:10', answer(401)],
        ['09:13', answer(401)],
      ],
      { secretChangedAt },
    ],
    // Another trouble than a secret's.
    [
      [
        ['09:00', answer(200)],
        ['09:13', answer(500)],
      ],
      { secretChangedAt },
    ],
    // Nothing ever arrived.
    [[['09:13', answer(401)]], { secretChangedAt }],
  ];
  for (const [attempts, facts] of without)
    assert.doesNotMatch(after(attempts, facts), /secret of the registration was/);
});

test('trouble tells since when it lasts, and what was changed just before', () => {
  const refused = { kind: 'connect_error', code: 'ECONNREFUSED' } as const;
  assert.match(
    after([
      ['09:00', answer(200)],
      ['09:12', refused],
      ['09:20', refused],
    ]),
    /It has been so since 2026-09-04 09:12 UTC\.$/,
  );
  assert.match(
    after(
      [
        ['09:12', refused],
        ['09:20', refused],
      ],
      { isWhole: false },
    ),
    /It has been so since 2026-09-04 09:12 UTC or longer\.$/,
  );
  assert.match(
    after(
      [
        ['09:00', answer(200)],
        ['09:12', refused],
      ],
      { registrationChangedAt: at('09:05') },
    ),
    /right after the registration was changed on 2026-09-04 09:05 UTC: check that change\.$/,
  );
  assert.doesNotMatch(
    after([
      ['09:00', answer(200)],
      ['09:12', refused],
    ]),
    /since/,
  );
  assert.doesNotMatch(
    after([
      ['09:00', answer(500)],
      ['09:12', answer(200)],
    ]),
    /since/,
  );
});

test('a delivery that was taken slowly says how slowly', () => {
  assert.equal(
    sentence(explainAttempt(attempt(answer(204), NOW, 8240))),
    'The receiver answered 204: delivered. It took 8.2 s to answer, which keeps other deliveries waiting: it should answer first and work afterwards.',
  );
  assert.doesNotMatch(sentence(explainAttempt(attempt(answer(204), NOW, 900))), /took/);
});

test('every sentence of the catalogue is told by some attempt of these tests, whole and with all of its parameters', () => {
  assert.deepEqual(
    Object.keys(SENTENCES).filter((key) => !told.has(key as SentenceKey)),
    [],
  );
  for (const text of Object.values(SENTENCES)) assert.match(text, /^[A-Z].*\.$/);
});

test('texts from outside stay short and plain, however hostile', () => {
  const location = 'https://me:pw@evil.example/<script>alert("x")</script>?token=secret#s';
  const shown = sentence(explain(answer(302, location)));
  assert.doesNotMatch(shown, /[<>"]|pw@|token|secret/);
  assert.match(shown, /https:\/\/evil\.example\/%3Cscript%3E/);
  const hostile = fc.string({ unit: 'binary', maxLength: 3000 });
  fc.assert(
    fc.property(hostile, hostile, (one, other) => {
      for (const outcome of [
        answer(302, one),
        { kind: 'dns_error', host: one, code: other } as const,
        { kind: 'tls_error', code: one } as const,
        { kind: 'connect_error', code: one } as const,
        { kind: 'protocol_error', code: one } as const,
      ]) {
        const { sentence: whole, remarks } = explain(outcome);
        for (const text of [
          whole,
          ...remarks.flatMap(({ parameters }) => Object.values(parameters)),
        ]) {
          assert.ok(String(text).length < 700);
          assert.doesNotMatch(String(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        }
      }
    }),
  );
});
