import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, test } from 'node:test';
import { openMailer } from './mail.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** A mail server that greets, offers no TLS, and notes what it is told. */
async function plainServer(): Promise<{ readonly url: string; readonly lines: string[] }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 plain\r\n');
    socket.on('data', (chunk) => {
      lines.push(chunk.toString('utf8'));
      socket.write(chunk.toString().startsWith('EHLO') ? '250 plain\r\n' : '502 no\r\n');
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `127.0.0.1:${(server.address() as AddressInfo).port}`, lines };
}

const MAIL = { subject: 'A warning', text: 'Look.' };
const ADDRESSES = { from: 'bell@school.example', to: ['office@school.example'], extraCa: [] };

test('a password is not told to a server without TLS', async () => {
  const { url, lines } = await plainServer();
  const mailer = openMailer({ url: `smtp://bell:secret@${url}`, ...ADDRESSES });
  await assert.rejects(mailer.send(MAIL));
  assert.doesNotMatch(lines.join(''), /AUTH|secret|c2VjcmV0/);
});

test('what the server refuses is told to the caller', async () => {
  const { url } = await plainServer();
  await assert.rejects(openMailer({ url: `smtp://${url}`, ...ADDRESSES }).send(MAIL), /502/);
});
