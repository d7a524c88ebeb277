import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ALLOW_NOTHING } from './allow.ts';
import { checkPeer } from './dial.ts';
import type { Egress } from './port.ts';
import { brief, openEgress, post } from './testing/open-egress.ts';
import { answers, closeServers, plain, rawServer } from './testing/raw-server.ts';

let egress: Egress;
before(() => {
  egress = openEgress();
});
after(() => Promise.all([egress.close(), closeServers()]));

/** Lets sockets rest and be read: the turns that a used connection waits, and some more. */
async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('refuses to send to an address that is not allowed, without a connection', async () => {
  const strict = openEgress({ allow: ALLOW_NOTHING });
  const server = await rawServer(answers(plain(200)));
  assert.deepEqual(await strict.send(post(`http://127.0.0.1:${server.port}/`)), {
    kind: 'blocked',
    rule: 'place',
  });
  assert.equal(server.accepted(), 0);
  await Promise.all([strict.close(), server.close()]);
});

test('refuses to send to its own listener', async () => {
  const server = await rawServer(answers(plain(200)));
  const own = openEgress({
    isOwn: (address, port) => address === '127.0.0.1' && port === server.port,
  });
  const outcome = await own.send(post(`http://127.0.0.1:${server.port}/`));
  assert.deepEqual(outcome, { kind: 'blocked', rule: 'own listener' });
  assert.equal(server.accepted(), 0);
  await Promise.all([own.close(), server.close()]);
});

test('goes on to the next address when the first is dead', async () => {
  const server = await rawServer(answers(plain(200)));
  const many = openEgress({ resolve: () => Promise.resolve(['127.0.0.9', '127.0.0.1']) });
  assert.equal(brief(await many.send(post(`http://receiver.test:${server.port}/`))), '200');
  await Promise.all([many.close(), server.close()]);
});

test('refuses the whole answer for one bad address, however far down it is', async () => {
  const server = await rawServer(answers(plain(200)));
  const good = Array.from({ length: 60 }, (_, index) => `93.184.216.${index + 1}`);
  for (const answer of [
    ['93.184.216.34', '10.0.0.1'],
    [...good, '127.0.0.1'],
    ['::ffff:169.254.169.254'],
  ]) {
    const mixed = openEgress({
      allow: ALLOW_NOTHING,
      resolve: () => Promise.resolve(answer),
    });
    const outcome = await mixed.send(post('http://receiver.example.com/'));
    assert.equal(brief(outcome), 'blocked');
    await mixed.close();
  }
  await server.close();
});

test('tells the operator what was refused and by which rule', async () => {
  const told: unknown[] = [];
  const strict = openEgress({
    allow: ALLOW_NOTHING,
    resolve: () => Promise.resolve(['169.254.169.254']),
    onBlocked: (blocked) => told.push(blocked),
  });
  await strict.send(post('http://127.0.0.1/?secret', { pool: 'one' }));
  await strict.send(post('https://receiver.example.com:8443/?secret', { pool: 'two' }));
  assert.deepEqual(told, [
    { pool: 'one', host: null, rule: 'place' },
    { pool: 'two', host: 'receiver.example.com:8443', rule: 'metadata' },
  ]);
  await strict.close();
});

test('writes nothing to a peer that is none of the judged addresses', () => {
  const connectedTo = (remoteAddress: string | undefined) => (): void =>
    checkPeer({ remoteAddress }, ['93.184.216.34', '2606:4700:4700::1111']);
  connectedTo('93.184.216.34')();
  connectedTo('2606:4700:4700:0:0:0:0:1111')();
  assert.throws(connectedTo('10.0.0.1'), { outcome: { kind: 'blocked', rule: 'peer' } });
  assert.throws(connectedTo(undefined), {
    outcome: { kind: 'connect_error', code: 'ECONNRESET' },
  });
});

test('looks a name up once for each connection', async () => {
  let lookups = 0;
  const counting = openEgress({
    resolve: () => {
      lookups += 1;
      return Promise.resolve(['127.0.0.1']);
    },
  });
  const server = await rawServer(answers(plain(200)));
  for (let count = 0; count < 3; count += 1) {
    await counting.send(post(`http://receiver.test:${server.port}/`));
    await turns();
  }
  assert.equal(lookups, 1);
  await Promise.all([counting.close(), server.close()]);
});

test('reports a failed look-up, an empty one, and one that never ends', async () => {
  const failing = openEgress({
    requestTimeoutMs: 300,
    resolve: (name) => {
      if (name === 'receiver.test')
        return Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
      return name === 'localhost' ? Promise.resolve([]) : new Promise(() => undefined);
    },
  });
  const missing = await failing.send(post('http://receiver.test/'));
  assert.deepEqual(missing, { kind: 'dns_error', host: 'receiver.test', code: 'ENOTFOUND' });
  assert.equal(brief(await failing.send(post('http://localhost/'))), 'dns_error');
  assert.equal(brief(await failing.send(post('http://silent.example.com/'))), 'timeout');
  await failing.close();
});

test('waits for a look-up no longer than for a connection', async () => {
  const silent = openEgress({ connectTimeoutMs: 100, resolve: () => new Promise(() => undefined) });
  const outcome = await silent.send(post('http://silent.example.com/'));
  assert.deepEqual(outcome, { kind: 'dns_error', host: 'silent.example.com', code: 'ETIMEOUT' });
  await silent.close();
});

test('reports a closed port', async () => {
  const server = await rawServer(() => undefined);
  await server.close();
  const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`));
  assert.deepEqual(outcome, { kind: 'connect_error', code: 'ECONNREFUSED' });
});
