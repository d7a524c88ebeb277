import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { buildBody } from './envelope.ts';
import { deliveryHeaders, msSignature, standardSignature } from './signature.ts';

type KnownAnswer = {
  readonly scheme: 'ms-signature' | 'standard';
  readonly name: string;
  readonly secret: string;
  readonly id?: string;
  readonly timestamp?: number;
  readonly body: string;
  readonly signature: string;
};

const answers = JSON.parse(
  readFileSync(new URL('./testdata/signatures.json', import.meta.url), 'utf8'),
) as readonly KnownAnswer[];

test("signatures are those of Microsoft's code and of the Standard Webhooks suite", () => {
  assert.equal(answers.length, 19);
  for (const { scheme, name, secret, id = '', timestamp = 0, body, signature } of answers) {
    const bytes = Buffer.from(body);
    const ours =
      scheme === 'ms-signature'
        ? msSignature(secret, bytes)
        : standardSignature({ secret, id, timestampSeconds: timestamp, body: bytes });
    assert.equal(ours, signature, name);
  }
});

test('a secret that only looks like Standard Webhooks signs as the text it is, never with an empty key', () => {
  const body = Buffer.from('{}');
  for (const secret of ['whsec_', 'whsec_A', 'whsec_====', 'whsec_not base64!', 'whsec_a-b_c']) {
    const key = createHmac('sha256', secret).update('d1.5.{}').digest('base64');
    const signature = standardSignature({ secret, id: 'd1', timestampSeconds: 5, body });
    assert.equal(signature, `v1,${key}`, secret);
  }
});

test('standardwebhooks and svix accept every delivery, whatever its secret and text', () => {
  const secrets = fc.oneof(
    fc.string({ minLength: 32, maxLength: 64 }).filter((secret) => !secret.startsWith('whsec_')),
    fc
      .uint8Array({ minLength: 24, maxLength: 40 })
      .map((bytes) => `whsec_${Buffer.from(bytes).toString('base64')}`),
  );
  fc.assert(
    fc.property(secrets, fc.json(), (secret, json) => {
      const body = buildBody({
        id: 'd1',
        attempt: 1,
        properties: '{}',
        notifications: [`{"Action":"A","x":${json}}`],
      });
      const timestampSeconds = Math.floor(Date.now() / 1000);
      const headers = Object.fromEntries(
        deliveryHeaders({
          msSecret: secret,
          standardSecrets: [secret],
          id: 'd1',
          sequence: null,
          timestampSeconds,
          body,
          headers: [],
        }),
      );
      const encoded = secret.startsWith('whsec_') ? secret : Buffer.from(secret).toString('base64');
      new Webhook(encoded).verify(body.toString('utf8'), headers);
      new SvixWebhook(encoded).verify(body.toString('utf8'), headers);
    }),
    { numRuns: 50 },
  );
});

test('headers come in order, those of the registration last', () => {
  const headers = deliveryHeaders({
    msSecret: 's',
    standardSecrets: ['s'],
    id: 'd1',
    sequence: 7,
    timestampSeconds: 5,
    body: Buffer.from('{}'),
    replayOf: 'd0',
    headers: [['X-Own', 'v']],
  });
  assert.deepEqual(
    headers.map(([name]) => name),
    [
      'Content-Type',
      'ms-signature',
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
      'schoolbell-sequence',
      'webhook-replay',
      'X-Own',
    ],
  );
  assert.deepEqual(headers[0], ['Content-Type', 'application/json; charset=utf-8']);
});

test('the envelope holds its members in order and the notifications as they are', () => {
  const body = buildBody({
    id: 'd1',
    attempt: 3,
    properties: '{"n":1.0}',
    notifications: ['{ "Action":"A" }', '{"Action":"B","n":1e400}'],
  });
  assert.equal(
    body.toString('utf8'),
    '{"Id":"d1","Attempt":3,"Properties":{"n":1.0},"Notifications":[{ "Action":"A" },{"Action":"B","n":1e400}]}',
  );
});
