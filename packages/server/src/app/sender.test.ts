import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { readConfig } from '../config/config.ts';
import { wholeAttempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import { newId } from '../core/id.ts';
import type { Outcome } from '../core/outcome.ts';
import { testRegistration } from '../core/testing/registration.ts';
import type { BlockedRequest } from '../egress/client.ts';
import { openEgress } from './outbound.ts';
import { openSender } from './sender.ts';

/** A sender with so many threads, on the real egress; 0 for none. */
function open(t: TestContext, sendingThreads: number) {
  const blocked: BlockedRequest[] = [];
  const flags = { allowNetworks: '127.0.0.0/8', requestTimeout: '2s' };
  const config = readConfig({ ...flags, sendingThreads: String(sendingThreads) }, {});
  const onBlocked = (one: BlockedRequest): void => void blocked.push(one);
  const egress = openEgress(config, { isOwn: () => false, onBlocked });
  const { sender, setListeners } = openSender(config, {
    egress,
    tracing: undefined,
    telemetry: { blocked: onBlocked },
  });
  sender.start();
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= sender.close().then(() => egress.close()));
  t.after(close);
  return { sender, setListeners, blocked, close };
}

async function listen(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

function deliveryOf(given: Partial<Delivery> = {}): Delivery {
  const id = newId(1_790_000_000_000);
  const place = { tenant: 'a', eventId: id, registrationId: 'r1' };
  const progress = { attempts: 2, step: 2, ordered: false, sequence: 7 };
  const notifications = ['{"Action":"A","Name":"Zoë 😀"}', '{"Action":"B"}'];
  return { id, ...place, ...progress, notifications, actions: ['A', 'B'], ...given };
}

test('a thread sends what the main thread would send, and tells what it would tell', async (t) => {
  const bodies: string[] = [];
  const port = await listen(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString('utf8'));
      const status = Number(request.url?.slice(1));
      response.sendDate = false;
      response.writeHead(status, { 'retry-after': '7', 'x-said': 'é' }).end(`said ${status}`);
    });
  });
  const [threaded, direct] = [open(t, 2), open(t, 0)];
  const places = [
    ...[200, 204, 302, 410, 500, 503].map((status) => `http://127.0.0.1:${port}/${status}`),
    'http://127.0.0.1:1/',
    'http://10.0.0.1/',
    'ftp://127.0.0.1/',
  ];
  for (const webHookUri of places) {
    const headers = [['X-Own', 'kept to itself']] as const;
    const registration = testRegistration({ webHookUri, headers, properties: '{"P":1}' });
    const delivery = deliveryOf({
      replayOf: newId(0),
      trace: `00-${newId(0)}-00f067aa0ba902b7-01`,
    });
    const [there, here] = await Promise.all(
      [threaded, direct].map(({ sender }) => sender.send(registration, delivery)),
    );
    assert.ok(there !== undefined && here !== undefined);
    const timeless = (made: typeof here): object => {
      const { startedAt: _at, durationMs: _ms, requestHeaders, ...rest } = wholeAttempt(made);
      // The time is signed with the rest.
      const isTimed = (name: string): boolean => /^webhook-(timestamp|signature)$/.test(name);
      return { ...rest, requestHeaders: requestHeaders.filter(([name]) => !isTimed(name)) };
    };
    assert.deepEqual(timeless(there), timeless(here), webHookUri);
    if (plainlyTaken(here.outcome)) assert.equal(statusOf(there.outcome), statusOf(here.outcome));
    else assert.deepEqual(there.outcome, here.outcome);
  }
  assert.equal(bodies.length, 12);
  for (let n = 0; n < bodies.length; n += 2) assert.equal(bodies[n], bodies[n + 1]);
  assert.deepEqual(
    threaded.blocked.map(({ rule }) => rule),
    direct.blocked.map(({ rule }) => rule),
  );
});

const statusOf = (outcome: Outcome): number | null =>
  outcome.kind === 'response' ? outcome.status : null;
const plainlyTaken = (outcome: Outcome): boolean =>
  Math.floor((statusOf(outcome) ?? 0) / 100) === 2;

test('a registration that was changed is sent to as it is now', async (t) => {
  const signatures: (string | undefined)[] = [];
  let body = '';
  const port = await listen(t, (request, response) => {
    request.setEncoding('utf8').on('data', (chunk: string) => (body = chunk));
    request.on('end', () => {
      signatures.push(String(request.headers['ms-signature']));
      response.end();
    });
  });
  const { sender } = open(t, 1);
  const webHookUri = `http://127.0.0.1:${port}/`;
  const secrets = ['first'.repeat(8), 'second'.repeat(8)];
  for (const secret of secrets) {
    await sender.send(testRegistration({ webHookUri, secret }), deliveryOf());
    const expected = createHmac('sha256', secret).update(body).digest('hex').toUpperCase();
    assert.equal(signatures.at(-1), `sha256=${expected}`);
  }
});

test('a thread knows what the process listens on as soon as it is told, and sends nothing there', async (t) => {
  let requests = 0;
  const port = await listen(t, (_request, response) => {
    requests += 1;
    response.end();
  });
  const { sender, setListeners, blocked } = open(t, 1);
  const registration = testRegistration({ webHookUri: `http://127.0.0.1:${port}/` });
  await sender.send(registration, deliveryOf());
  setListeners([{ address: '127.0.0.1', port }]);
  sender.forget('a/r1');
  const { outcome } = await sender.send(registration, deliveryOf());
  assert.deepEqual(outcome, { kind: 'blocked', rule: 'own listener' });
  assert.deepEqual(blocked, [{ pool: 'a/r1', host: `127.0.0.1:${port}`, rule: 'own listener' }]);
  assert.equal(requests, 1);
});

test('there may be more registrations than a thread keeps in mind', async (t) => {
  const { sender } = open(t, 1);
  const send = async (n: number): Promise<void> => {
    const registration = testRegistration({ id: `r${n}`, webHookUri: `ftp://${n}.example/` });
    const { outcome, number } = await sender.send(registration, deliveryOf({ attempts: n }));
    assert.equal(number, n + 1);
    assert.equal(outcome.kind, 'blocked');
  };
  await Promise.all(Array.from({ length: 10_050 }, (_, n) => send(n)));
  await send(0);
});

test('what is in flight at the end ends as a broken connection', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const port = await listen(t, () => arrived.resolve());
  const { sender, close } = open(t, 1);
  const registration = testRegistration({ webHookUri: `http://127.0.0.1:${port}/` });
  const sent = sender.send(registration, deliveryOf());
  await arrived.promise;
  const [{ outcome }] = await Promise.all([sent, close()]);
  assert.deepEqual(outcome, { kind: 'connect_error', code: 'ECONNABORTED' });
});

test('a mistake in a thread ends the process', () => {
  const threads = new URL('../sending/threads.ts', import.meta.url);
  const code = `
    import { SendingThreads } from ${JSON.stringify(threads.href)};
    const entry = new URL('data:text/javascript,throw new Error("broken in there")');
    new SendingThreads({ count: 1, entry, data: null, onBlocked: () => undefined }).start();
    setTimeout(() => process.exit(0), 20_000);`;
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
  });
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /broken in there/);
});
