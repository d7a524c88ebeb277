import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Egress } from './port.ts';
import { brief, openEgress, post } from './testing/open-egress.ts';
import { answers, closeServers, onRequest, plain, rawServer } from './testing/raw-server.ts';

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

/** Holds the event loop, as a large publish would. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('sends the request byte for byte: order and spelling of headers, path and query', async () => {
  let request = '';
  const server = await rawServer((socket) =>
    onRequest(socket, (text) => {
      request = text;
      socket.write(plain(200));
    }),
  );
  const uri = `http://127.0.0.1:${server.port}/a%2Fb/ü?sig=%2F%41&x=a'b`;
  const headers = [
    ['ms-Signature', 'sha256=00'],
    ['X-b', '2'],
    ['X-A', '1'],
    ['X-b', '3'],
  ] as const;
  await egress.send(post(uri, { headers }));
  assert.deepEqual(request.split('\r\n'), [
    'POST /a%2Fb/%C3%BC?sig=%2F%41&x=a%27b HTTP/1.1',
    `host: 127.0.0.1:${server.port}`,
    'connection: keep-alive',
    'ms-Signature: sha256=00',
    'X-b: 2',
    'X-A: 1',
    'X-b: 3',
    'content-length: 10',
    '',
    '{"Id":"1"}',
  ]);
  await server.close();
});

test('keeps a connection for the next request of the same pool only', async () => {
  const server = await rawServer(answers(plain(200)));
  const uri = `http://127.0.0.1:${server.port}/`;
  for (let count = 0; count < 5; count += 1) {
    await egress.send(post(uri, { pool: 'one' }));
    await turns();
  }
  assert.equal(server.accepted(), 1);
  await egress.send(post(uri, { pool: 'two' }));
  assert.equal(server.accepted(), 2);
  await server.close();
});

test('uses a connection a thousand times at most', async () => {
  const server = await rawServer(answers(plain(200)));
  for (let count = 0; count < 1001; count += 1) {
    await egress.send(post(`http://127.0.0.1:${server.port}/`, { pool: 'thousand' }));
    await turns(3);
  }
  assert.equal(server.accepted(), 2);
  await server.close();
});

test('closes the connections of a forgotten pool', async () => {
  const closed = Promise.withResolvers<void>();
  const server = await rawServer((socket) => {
    answers(plain(200))(socket);
    socket.on('close', () => closed.resolve());
  });
  await egress.send(post(`http://127.0.0.1:${server.port}/`, { pool: 'forgotten' }));
  await turns();
  egress.forget('forgotten');
  await closed.promise;
  await server.close();
});

for (const moment of ['at once', 'in the next turn', 'while idle'] as const) {
  test(`never takes an answer that nobody asked for (sent ${moment}) for that of the next request`, async () => {
    for (let round = 0; round < 20; round += 1) await poison(moment, `${moment} ${round}`);
  });
}

/** The first request is answered 200, and then a second 200 comes unasked; the second request is answered 500. */
async function poison(
  moment: 'at once' | 'in the next turn' | 'while idle',
  pool: string,
): Promise<void> {
  const unasked = (socket: Socket): void => void socket.write(plain(200, 'unasked'));
  let answered = 0;
  const peers: Socket[] = [];
  const server = await rawServer((socket) => {
    peers.push(socket);
    onRequest(socket, () => {
      answered += 1;
      socket.write(plain(answered === 1 ? 200 : 500));
      if (answered === 1 && moment === 'at once') unasked(socket);
      if (answered === 1 && moment === 'in the next turn') setImmediate(unasked, socket);
    });
  });
  const uri = `http://127.0.0.1:${server.port}/`;
  assert.equal(brief(await egress.send(post(uri, { pool }))), '200');
  if (moment === 'while idle') {
    await turns();
    for (const peer of peers) unasked(peer);
  } else if (moment === 'in the next turn') await turns(2);
  stall(5);
  assert.equal(brief(await egress.send(post(uri, { pool }))), '500');
  egress.forget(pool);
  await server.close();
}

test('never takes an unasked answer that came while the event loop stood still', async (t) => {
  const worker = new Worker(new URL('testing/poisoner.ts', import.meta.url));
  t.after(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  for (let round = 0; round < 10; round += 1) {
    const request = post(`http://127.0.0.1:${port}/`, { pool: `stalled ${round}` });
    assert.equal(brief(await egress.send(request)), '200');
    stall(20);
    const second = await egress.send(request);
    assert.ok(second.kind === 'response' && second.response.body !== 'unasked', `round ${round}`);
  }
});

test('does not take a 408 on an idle connection for an answer', async () => {
  let peer: Socket | undefined;
  const server = await rawServer((socket) => {
    peer = socket;
    answers(plain(200))(socket);
  });
  const uri = `http://127.0.0.1:${server.port}/`;
  await egress.send(post(uri, { pool: '408' }));
  await turns();
  peer?.end(plain(408));
  assert.equal(brief(await egress.send(post(uri, { pool: '408' }))), '200');
  assert.equal(server.accepted(), 2);
  await server.close();
});

for (const leaves of ['ends', 'resets'] as const) {
  test(`sends once more when a kept connection ${leaves} without a byte`, async () => {
    let requests = 0;
    const server = await rawServer((socket) =>
      onRequest(socket, () => {
        requests += 1;
        if (requests !== 2) socket.write(plain(200));
        else if (leaves === 'ends') socket.end();
        else socket.resetAndDestroy();
      }),
    );
    const uri = `http://127.0.0.1:${server.port}/`;
    await egress.send(post(uri, { pool: leaves }));
    await turns();
    assert.equal(brief(await egress.send(post(uri, { pool: leaves }))), '200');
    assert.deepEqual([requests, server.accepted()], [3, 2]);
    await server.close();
  });
}

test('does not send again when a new connection dies, or a kept one after the first byte', async () => {
  let requests = 0;
  const server = await rawServer((socket) =>
    onRequest(socket, () => {
      requests += 1;
      if (requests === 1) socket.write(plain(200));
      else socket.end(requests === 2 ? 'HTTP/1.1 2' : '');
    }),
  );
  const uri = `http://127.0.0.1:${server.port}/`;
  await egress.send(post(uri, { pool: 'dies' }));
  await turns();
  assert.notEqual((await egress.send(post(uri, { pool: 'dies' }))).kind, 'response');
  assert.equal((await egress.send(post(uri, { pool: 'dies' }))).kind, 'connect_error');
  assert.equal(requests, 3);
  await server.close();
});

test('waits through interim answers that nobody asked for, and keeps the connection', async () => {
  let requests = 0;
  const server = await rawServer((socket) =>
    onRequest(socket, () => {
      requests += 1;
      socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: </a>\r\n\r\n`);
      socket.write(plain(200, 'ok'));
    }),
  );
  for (let count = 0; count < 3; count += 1) {
    const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`, { pool: '100' }));
    assert.deepEqual(outcome, {
      kind: 'response',
      status: 200,
      response: { headers: [['content-length', '2']], body: 'ok', truncated: false },
    });
    await turns();
  }
  assert.deepEqual([requests, server.accepted()], [3, 1]);
  await server.close();
});

test('closes a connection before its server does, when that says how long it waits', async () => {
  const closed = Promise.withResolvers<void>();
  const server = await rawServer((socket) => {
    answers(plain(200, '', 'Keep-Alive: timeout=2, max=100\r\n'))(socket);
    socket.on('close', () => closed.resolve());
  });
  const request = post(`http://127.0.0.1:${server.port}/`, { pool: 'brief' });
  await egress.send(request);
  const from = performance.now();
  await closed.promise;
  assert.ok(performance.now() - from > 900);
  await egress.send(request);
  assert.equal(server.accepted(), 2);
  await server.close();
});

for (const header of ['Connection: close', 'Keep-Alive: timeout=1']) {
  test(`sends nothing more on a connection whose answer says "${header}"`, async () => {
    const server = await rawServer(answers(plain(200, '', `${header}\r\n`)));
    for (let count = 0; count < 2; count += 1) {
      await egress.send(post(`http://127.0.0.1:${server.port}/`, { pool: header }));
      await turns();
    }
    assert.equal(server.accepted(), 2);
    await server.close();
  });
}

for (const [name, value] of [
  ['X-A', 'a\r\nHost: internal'],
  ['X-A', 'a\u0100b'],
  ['X A', 'b'],
  ['', 'b'],
] as const) {
  test(`sends no byte of a request with the header ${JSON.stringify([name, value])}`, async () => {
    const server = await rawServer((socket) => socket.on('data', () => assert.fail('sent')));
    const uri = `http://127.0.0.1:${server.port}/`;
    const outcome = await egress.send(post(uri, { headers: [[name, value]], pool: 'unsendable' }));
    assert.deepEqual(outcome, { kind: 'blocked', rule: 'headers' });
    await server.close();
  });
}

test('ends by the deadline of the request, whatever the usual one is', async () => {
  const server = await rawServer((socket) => socket.resume());
  const startedAt = performance.now();
  const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`, { timeoutMs: 100 }));
  assert.deepEqual(outcome, { kind: 'timeout', phase: 'response', afterMs: 100 });
  assert.ok(performance.now() - startedAt < 600);
  await server.close();
});

test('keeps what came of a body when the deadline passes', async () => {
  const server = await rawServer(answers('HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nhalf'));
  const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`, { timeoutMs: 100 }));
  assert.deepEqual(outcome, {
    kind: 'response',
    status: 500,
    response: { headers: [['content-length', '9']], body: 'half', truncated: true },
  });
  await server.close();
});

test('cuts a body at 64 KiB and hangs up', async () => {
  const server = await rawServer(answers(plain(200, 'a'.repeat(70_000))));
  const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`));
  assert.equal(outcome.kind === 'response' && outcome.response.body.length, 65_536);
  assert.equal(brief(outcome), '200 truncated');
  await server.close();
});

test('takes a body of exactly 64 KiB whole', async () => {
  const server = await rawServer(answers(plain(200, 'a'.repeat(65_536))));
  assert.equal(brief(await egress.send(post(`http://127.0.0.1:${server.port}/`))), '200');
  await server.close();
});

for (const status of [301, 302, 303, 307, 308]) {
  test(`does not follow a ${status}`, async () => {
    const canary = await rawServer(answers(plain(200)));
    const to = `http://127.0.0.1:${canary.port}/`;
    const server = await rawServer(answers(plain(status, '', `Location: ${to}\r\n`)));
    const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`));
    assert.ok(outcome.kind === 'response' && outcome.status === status);
    assert.ok(
      outcome.response.headers.some(([name, value]) => name === 'location' && value === to),
    );
    assert.equal(canary.accepted(), 0);
    await Promise.all([server.close(), canary.close()]);
  });
}

test('keeps the names of cookies and never their values, and sends none back', async () => {
  const requests: string[] = [];
  const server = await rawServer((socket) =>
    onRequest(socket, (request) => {
      requests.push(request);
      socket.write(plain(200, '', 'Set-Cookie: id=secret\r\n'));
    }),
  );
  const outcome = await egress.send(post(`http://127.0.0.1:${server.port}/`));
  await egress.send(post(`http://127.0.0.1:${server.port}/`));
  assert.ok(outcome.kind === 'response');
  assert.deepEqual(outcome.response.headers[0], ['set-cookie', '(not kept)']);
  assert.ok(!requests.join('').toLowerCase().includes('cookie'));
  await server.close();
});

test('ends what is in flight when it closes, and sends nothing afterwards', async () => {
  const arrived = Promise.withResolvers<Socket>();
  const server = await rawServer((socket) => socket.once('data', () => arrived.resolve(socket)));
  const closing = openEgress({ requestTimeoutMs: 60_000 });
  const pending = closing.send(post(`http://127.0.0.1:${server.port}/`));
  const timed = closing.send(post(`http://127.0.0.1:${server.port}/`, { timeoutMs: 60_000 }));
  const socket = await arrived.promise;
  const gone = once(socket, 'close');
  await closing.close();
  assert.deepEqual([brief(await pending), brief(await timed)], ['connect_error', 'connect_error']);
  assert.equal(
    brief(await closing.send(post(`http://127.0.0.1:${server.port}/`))),
    'connect_error',
  );
  await gone;
  await server.close();
});

test('keeps no more idle connections than it may, and lets the oldest go first', async () => {
  const few = openEgress({ maxIdle: 3 });
  const server = await rawServer(answers(plain(200)));
  for (const pool of ['a', 'b', 'c', 'd', 'e', 'a', 'e']) {
    await few.send(post(`http://127.0.0.1:${server.port}/`, { pool }));
    await turns();
  }
  assert.equal(server.accepted(), 6);
  assert.equal(server.open(), 3);
  await Promise.all([few.close(), server.close()]);
});
