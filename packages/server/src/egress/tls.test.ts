import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { Outcome } from '../core/outcome.ts';
import type { Egress } from './port.ts';
import { type Certificates, makeCertificates } from './testing/certificates.ts';
import { brief, openEgress, post } from './testing/open-egress.ts';
import {
  answers,
  closeServers,
  type Behaviour,
  onRequest,
  plain,
  rawServer,
} from './testing/raw-server.ts';

let certificates: Certificates;
let egress: Egress;
const OK = answers(plain(200, 'ok'));

before(() => {
  certificates = makeCertificates();
  egress = openEgress({
    extraCa: [certificates.authority],
    resolve: () => Promise.resolve(['127.0.0.1']),
  });
});
after(() => Promise.all([egress.close(), closeServers()]));

/** What comes of one request to a server of this kind. */
async function sendTo(
  tls: TlsOptions | undefined,
  behave: Behaviour,
  host = '127.0.0.1',
): Promise<Outcome> {
  const server = await rawServer(behave, tls);
  const outcome = await egress.send(
    post(`https://${host}:${server.port}/`, { pool: `${server.port}` }),
  );
  egress.forget(`${server.port}`);
  await server.close();
  return outcome;
}

test('reaches a server with a good certificate, by name and by address', async () => {
  assert.equal(brief(await sendTo(certificates.good, OK)), '200');
  assert.equal(brief(await sendTo(certificates.good, OK, 'receiver.test')), '200');
});

test('sends the name as SNI, offers HTTP/1.1 only, and never resumes a session', async () => {
  const seen: { name: string | false; alpn: string | false | null; resumed: boolean }[] = [];
  const server = await rawServer(
    (socket) => {
      const { servername, alpnProtocol } = socket as TLSSocket & { servername: string };
      seen.push({
        name: servername,
        alpn: alpnProtocol,
        resumed: (socket as TLSSocket).isSessionReused(),
      });
      onRequest(socket, () => socket.end(plain(200, 'ok', 'Connection: close\r\n')));
    },
    { ...certificates.good, ALPNProtocols: ['h2', 'http/1.1'] },
  );
  for (const pool of ['a', 'a', 'b']) {
    assert.equal(
      brief(await egress.send(post(`https://receiver.test:${server.port}/`, { pool }))),
      '200',
    );
  }
  const expected = { name: 'receiver.test', alpn: 'http/1.1', resumed: false };
  assert.deepEqual(seen, [expected, expected, expected]);
  await server.close();
});

test('refuses a self-signed certificate', async () => {
  assert.equal(brief(await sendTo(certificates.selfSigned, OK)), 'tls_error');
});

test('refuses a certificate of another name', async () => {
  assert.deepEqual(await sendTo(certificates.wrongName, OK), {
    kind: 'tls_error',
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
});

test('refuses an expired certificate, and tells its dates', async () => {
  const outcome = await sendTo(certificates.expired, OK);
  assert.ok(outcome.kind === 'tls_error' && outcome.code === 'CERT_HAS_EXPIRED');
  const { validFrom = 0, validTo = 0 } = outcome.certificate ?? {};
  const daysAgo = (Date.now() - validTo) / 86_400_000;
  assert.ok(daysAgo > 0.99 && daysAgo < 1.01, String(daysAgo));
  assert.ok(Number.isInteger(validFrom) && validFrom > 0);
});

test('verifies although the environment says not to', async (t) => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
  assert.equal(brief(await sendTo(certificates.selfSigned, OK)), 'tls_error');
  assert.equal(brief(await sendTo(certificates.wrongName, OK)), 'tls_error');
});

test('refuses TLS 1.1', async () => {
  const old = {
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  } as const;
  assert.equal(brief(await sendTo({ ...certificates.good, ...old }, OK)), 'tls_error');
});

test('refuses a chain of three hundred certificates', async () => {
  const cert = certificates.good.cert + certificates.authority.repeat(300);
  assert.equal(brief(await sendTo({ ...certificates.good, cert }, OK)), 'tls_error');
});

test('fails where a client certificate is demanded', async () => {
  const demands = { requestCert: true, rejectUnauthorized: true };
  assert.equal(brief(await sendTo({ ...certificates.good, ...demands }, OK)), 'tls_error');
});

test('fails on a plain port', async () => {
  const outcome = await sendTo(undefined, (socket) =>
    socket.once('data', () => socket.end(plain(400))),
  );
  assert.equal(brief(outcome), 'tls_error');
});

test('waits for a handshake no longer than for a connection', async () => {
  const startedAt = performance.now();
  const outcome = await sendTo(undefined, (socket) => socket.resume());
  assert.deepEqual(outcome, { kind: 'timeout', phase: 'tls', afterMs: 700 });
  assert.ok(performance.now() - startedAt < 1200);
});

test('fails when the server hangs up in the handshake', async () => {
  const outcome = await sendTo(undefined, (socket) =>
    socket.once('data', () => socket.resetAndDestroy()),
  );
  assert.equal(brief(outcome), 'tls_error');
});

test('sends again on a new connection when the kept one was closed by the server', async () => {
  let connections = 0;
  const server = await rawServer((socket) => {
    connections += 1;
    let requests = 0;
    onRequest(socket, () => {
      requests += 1;
      if (connections === 1 && requests === 2) socket.end();
      else socket.write(plain(200, 'ok'));
    });
  }, certificates.good);
  const uri = `https://receiver.test:${server.port}/`;
  assert.equal(brief(await egress.send(post(uri))), '200');
  await new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));
  assert.equal(brief(await egress.send(post(uri))), '200');
  assert.equal(connections, 2);
  await server.close();
});
