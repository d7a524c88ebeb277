import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { VerificationError } from './errors.ts';
import { verify } from './verify.ts';

type KnownAnswer = {
  readonly scheme: string;
  readonly label?: string;
  readonly secret: string;
  readonly id?: string;
  readonly timestamp?: number;
  readonly body: string;
  readonly signature: string;
};

const answers = JSON.parse(
  readFileSync(new URL('./testdata/signatures.json', import.meta.url), 'utf8'),
) as readonly KnownAnswer[];
const SECRET = '12345678901234567890123456789012';
const NOW = 1_790_000_000;

function signed(body: string, secret = SECRET, at = NOW): Record<string, string> {
  const signature = createHmac('sha256', secret).update(`id1.${at}.${body}`).digest('base64');
  return {
    'webhook-id': 'id1',
    'webhook-timestamp': String(at),
    'webhook-signature': `v1,${signature}`,
  };
}

const at = (seconds: number) => (): number => seconds * 1000;

async function refusal(options: Parameters<typeof verify>[0]): Promise<string> {
  try {
    await verify({ now: at(NOW), ...options });
  } catch (error) {
    if (error instanceof VerificationError) return error.code;
    throw error;
  }
  return 'accepted';
}

test('every known answer verifies, and none with a byte changed', async () => {
  for (const { scheme, secret, id = '', timestamp = 0, body, signature } of answers) {
    const isMs = scheme === 'ms-signature';
    const headers: Record<string, string> = isMs
      ? { 'ms-signature': signature }
      : {
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': signature,
        };
    const verified = await verify({ body, headers, secret, now: at(timestamp) });
    assert.equal(verified.scheme, isMs ? 'ms-signature' : 'standard-webhooks');
    assert.equal(
      await refusal({ body: `${body} `, headers, secret, now: at(timestamp) }),
      'signature_mismatch',
    );
  }
  assert.ok(answers.length >= 5);
});

test('what the official library signs is accepted, with whsec_ secrets decoded', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const when = new Date();
  const body = '{"Id":"ø"}';
  const signature = new Webhook(secret).sign('msg', when, body);
  const headers = new Headers({
    'webhook-id': 'msg',
    'webhook-timestamp': String(Math.floor(when.getTime() / 1000)),
    'webhook-signature': signature,
  });
  assert.deepEqual(await verify({ body, headers, secret }), {
    scheme: 'standard-webhooks',
    id: 'msg',
  });
});

test('during a change of secrets either one is accepted', async () => {
  const headers = signed('{}', 'the old secret');
  const accepted = await verify({
    body: '{}',
    headers,
    secret: ['the new secret', 'the old secret'],
    now: at(NOW),
  });
  assert.equal(accepted.id, 'id1');
});

test('each refusal says why', async () => {
  const secret = SECRET;
  const good = signed('{}');
  const cases: [string, Record<string, string>, string][] = [
    ['no headers', {}, 'missing_headers'],
    ['no id', { ...good, 'webhook-id': '' }, 'signature_mismatch'],
    ['no number', { ...good, 'webhook-timestamp': 'soon' }, 'bad_timestamp'],
    ['old', signed('{}', secret, NOW - 301), 'timestamp_too_old'],
    ['new', signed('{}', secret, NOW + 301), 'timestamp_too_new'],
    ['other version', { ...good, 'webhook-signature': 'v2,AAAA' }, 'bad_signature_format'],
    ['other secret', signed('{}', 'another'), 'signature_mismatch'],
    ['no hexadecimal', { 'ms-signature': 'sha256=zz' }, 'bad_signature_format'],
    ['other hash', { 'ms-signature': `sha1=${'0'.repeat(64)}` }, 'bad_signature_format'],
  ];
  for (const [name, headers, code] of cases) {
    assert.equal(await refusal({ body: '{}', headers, secret }), code, name);
  }
  assert.equal(await refusal({ body: '{}', headers: good, secret: '' }), 'bad_secret');
  assert.equal(await refusal({ body: '{}', headers: good, secret: [] }), 'bad_secret');
});

test('a good ms-signature does not save a bad Standard Webhooks one', async () => {
  const ms = createHmac('sha256', SECRET).update('{}').digest('hex');
  const headers = { ...signed('{}', SECRET, NOW - 4000), 'ms-signature': `sha256=${ms}` };
  assert.equal(await refusal({ body: '{}', headers, secret: SECRET }), 'timestamp_too_old');
});
