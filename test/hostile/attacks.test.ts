import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Outcome } from '../../packages/server/src/core/outcome.ts';
import type { Egress } from '../../packages/server/src/egress/port.ts';
import {
  type Certificates,
  makeCertificates,
} from '../../packages/server/src/egress/testing/certificates.ts';
import { brief, openEgress, post } from '../../packages/server/src/egress/testing/open-egress.ts';
import {
  answers,
  type Behaviour,
  closeServers,
  onRequest,
  plain,
  rawServer,
} from '../../packages/server/src/egress/testing/raw-server.ts';

let egress: Egress;
let certificates: Certificates;
before(() => {
  certificates = makeCertificates();
  egress = openEgress({
    extraCa: [certificates.authority],
    requestTimeoutMs: 10_000,
    connectTimeoutMs: 1500,
    resolve: () => Promise.resolve(['127.0.0.1']),
  });
});
after(() => Promise.all([egress.close(), closeServers()]));

async function turns(count = 6): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function attempt(behave: Behaviour, pool: string): Promise<Outcome> {
  const server = await rawServer(behave);
  const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`, { pool }));
  egress.forget(pool);
  await server.close();
  return outcome;
}

describe('an answer whose end is in doubt', () => {
  const smuggled = plain(200, 'smuggled');
  for (const framing of [
    `Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    `Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    `Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n`,
    `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    `Content-Length: 0, 0\r\n\r\n`,
    `Content-Length: +0\r\n\r\n`,
    `Content-Length: 0x0\r\n\r\n`,
    `Content-Length:\r\n\r\n`,
    `Content-Length: 0\r\n\r\n`,
    `Transfer-Encoding: chunked\r\n\r\n0;a="\r\n\r\n"\r\n\r\n`,
    `Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 0\r\n\r\n`,
    `Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ]) {
    test(`smuggles no second one into the next request: ${JSON.stringify(framing)}`, async () => {
      let requests = 0;
      const server = await rawServer((socket) =>
        onRequest(socket, () => {
          requests += 1;
          socket.write(requests === 1 ? `HTTP/1.1 500 X\r\n${framing}${smuggled}` : plain(500));
        }),
      );
      const uri = `http://127.0.0.1:${server.port}/`;
      const quick = { pool: framing, timeoutMs: 400 };
      const first = await egress.send(post(uri, quick));
      assert.ok(first.kind !== 'response' || first.status === 500, JSON.stringify(first));
      await turns();
      assert.equal(brief(await egress.send(post(uri, quick))), '500');
      egress.forget(framing);
      await server.close();
    });
  }
});

describe('headers of an answer', () => {
  const outcomeOf = (header: string): Promise<Outcome> =>
    attempt(answers(Buffer.from(`HTTP/1.1 200 X\r\n${header}\r\n\r\n`, 'latin1')), header);

  for (const header of [
    'X-A: a\rSet-Cookie: b',
    'X-A: a\nX-B: b',
    'X-A: a\u0000b',
    'X-A: \u001b[2J',
    'X-A: \u0007',
    'X\u0000A: b',
    ': no name',
    ' X-A: b',
  ]) {
    test(`break no line and no terminal: ${JSON.stringify(header)}`, async () => {
      const outcome = await outcomeOf(header);
      assert.equal(outcome.kind, 'protocol_error');
      assert.ok(!JSON.stringify(outcome).includes('\\u'));
    });
  }

  test('are kept by whatever name, also of what every object has', async () => {
    const names = ['__proto__', 'constructor', 'tostring', 'hasownproperty', '0'];
    const head = names.map((name) => `${name}: a\r\n${name}: b`).join('\r\n');
    for (const interim of ['', 'HTTP/1.1 100 Continue\r\n\r\n']) {
      const behave = answers(`${interim}HTTP/1.1 200 X\r\n${head}\r\nContent-Length: 0\r\n\r\n`);
      const outcome = await attempt(behave, `names${interim.length}`);
      assert.ok(outcome.kind === 'response');
      const kept = outcome.response.headers.filter(([name]) => names.includes(name));
      const expected = names.flatMap((name) => [`${name}: a`, `${name}: b`]).toSorted();
      assert.deepEqual(kept.map((each) => each.join(': ')).toSorted(), expected);
    }
    assert.equal(({} as { a?: unknown }).a, undefined);
  });
});

test('two registrations of one place share no connection, whatever the place says of itself', async () => {
  const seen = new Map<Socket, string[]>();
  const server = await rawServer((socket) =>
    onRequest(socket, (request) => {
      seen.set(socket, [...(seen.get(socket) ?? []), /pool: (\w+)/.exec(request)?.[1] ?? '']);
      socket.write(plain(200, '', 'Keep-Alive: max=9999\r\nAlt-Svc: h2=":443"; ma=9999\r\n'));
    }),
  );
  const names = ['one', 'two', 'one', 'two', 'one'];
  for (const pool of names) {
    const headers = [['pool', pool]] as const;
    await egress.send(post(`http://receiver.test:${server.port}/`, { pool, headers }));
    await turns();
  }
  assert.deepEqual(
    [...seen.values()],
    [
      ['one', 'one', 'one'],
      ['two', 'two'],
    ],
  );
  for (const pool of names) egress.forget(pool);
  await server.close();
});

test('a receiver whose machine is gone behind a kept connection costs one deadline (R010)', async () => {
  let requests = 0;
  const server = await rawServer((socket) =>
    onRequest(socket, () => {
      requests += 1;
      if (requests === 1) socket.write(plain(200));
      else socket.pause();
    }),
  );
  const request = post(`http://127.0.0.1:${server.port}/`, { pool: 'gone', timeoutMs: 500 });
  assert.equal(brief(await egress.send(request)), '200');
  await turns();
  const startedAt = performance.now();
  assert.deepEqual(await egress.send(request), {
    kind: 'timeout',
    phase: 'response',
    afterMs: 500,
  });
  assert.ok(performance.now() - startedAt < 1500);
  egress.forget('gone');
  await server.close();
});

test('a listener that takes no more connections costs one connect timeout (R002)', async (t) => {
  // A thread that listens and then stands still: the kernel fills its queue and drops the rest.
  const text = `
    const { createServer } = require('node:net');
    const { parentPort } = require('node:worker_threads');
    const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20_000));
    });`;
  const worker = new Worker(text, { eval: true });
  t.after(() => worker.terminate());
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const startedAt = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      egress.send(post(`http://127.0.0.1:${port}/`, { pool: `full ${index}`, timeoutMs: 4000 })),
    ),
  );
  const dropped = outcomes.filter(({ kind }) => kind === 'timeout');
  assert.ok(performance.now() - startedAt < 5000);
  assert.deepEqual(dropped.at(-1), { kind: 'timeout', phase: 'connect', afterMs: 1500 });
});

describe('behind TLS', () => {
  test('a handshake that comes drop by drop costs one connect timeout', async () => {
    const server = await rawServer((socket) => {
      socket.resume();
      // The head of a handshake record of 16 KiB, and then a byte of it now and then.
      socket.write(Buffer.from([0x16, 0x03, 0x03, 0x40, 0x00, 0x02, 0x00, 0x3f, 0xfc]));
      const timer = setInterval(() => socket.write('a'), 50);
      socket.on('close', () => clearInterval(timer));
    });
    const outcome = await egress.send(post(`https://127.0.0.1:${server.port}/`, { pool: 'drip' }));
    assert.deepEqual(outcome, { kind: 'timeout', phase: 'tls', afterMs: 1500 });
    await server.close();
  });

  test('a server that wants to begin again and again is not followed', async () => {
    const begun = Promise.withResolvers<Error | null>();
    const server = await rawServer(
      (socket) => {
        onRequest(socket, () => (socket as TLSSocket).renegotiate({}, begun.resolve));
        socket.on('close', () => begun.resolve(new Error('closed')));
      },
      { ...certificates.good, maxVersion: 'TLSv1.2' },
    );
    const request = post(`https://127.0.0.1:${server.port}/`, { pool: 'again', timeoutMs: 1000 });
    assert.notEqual(brief(await egress.send(request)), '200');
    assert.notEqual(await begun.promise, null);
    egress.forget('again');
    await server.close();
  });

  test('HTTP/2 that nobody offered is no HTTP', async () => {
    const settings = Buffer.from('000000040000000000', 'hex');
    const server = await rawServer(
      (socket) => {
        socket.resume();
        socket.write(settings);
      },
      { ...certificates.good, ALPNProtocols: ['h2', 'http/1.1'] },
    );
    const outcome = await egress.send(post(`https://127.0.0.1:${server.port}/`, { pool: 'h2' }));
    assert.equal(brief(outcome), 'protocol_error');
    await server.close();
  });

  for (const names of [
    'DNS:*',
    'DNS:*.test',
    'DNS:r*.test',
    'DNS:receiver.test.',
    'DNS:127.0.0.1',
  ]) {
    test(`a certificate for ${names} is none for a name or an address that it does not spell`, async () => {
      const wide = makeCertificates(names);
      const strict = openEgress({
        extraCa: [wide.authority],
        resolve: () => Promise.resolve(['127.0.0.1']),
      });
      const server = await rawServer(answers(plain(200)), wide.good);
      const host = names === 'DNS:127.0.0.1' ? '127.0.0.1' : 'receiver.test';
      const outcome = await strict.send(post(`https://${host}:${server.port}/`));
      assert.equal(brief(outcome), names === 'DNS:receiver.test.' ? '200' : 'tls_error');
      await Promise.all([strict.close(), server.close()]);
    });
  }
});
