import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { buildBody } from './envelope.ts';
import { deliveryHeaders, msSignature, standardSignature } from './signature.ts';

/** The answer that Microsoft's own unit test of the sender expects. */
const MICROSOFT = {
  secret: '123456789012345678901234567890123456789012345678',
  body: '{\r\n  "Id": "1234567890",\r\n  "Attempt": 1,\r\n  "Properties": {\r\n    "p1": "pv1"\r\n  },\r\n  "Notifications": [\r\n    {\r\n      "Action": "a1",\r\n      "d1": "dv1"\r\n    },\r\n    {\r\n      "Action": "a1",\r\n      "d2": "http://localhost"\r\n    }\r\n  ]\r\n}',
  signature: 'sha256=DCDEB62502988CDEDE464AF6A97566D61288C446CFC46F74F341E11173FF30A1',
};

test("the signature is the one that Microsoft's own test expects", () => {
  assert.equal(msSignature(MICROSOFT.secret, Buffer.from(MICROSOFT.body)), MICROSOFT.signature);
});

test('the Standard Webhooks signature is the published one', () => {
  const signature = standardSignature({
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestampSeconds: 1_614_265_330,
    body: Buffer.from('{"test": 2432232314}'),
  });
  assert.equal(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
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
        deliveryHeaders({ secret, id: 'd1', timestampSeconds, body, headers: [] }),
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
    secret: 's',
    id: 'd1',
    timestampSeconds: 5,
    body: Buffer.from('{}'),
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
