/**
 * Run by ssrf.test.ts in a network namespace of its own, in which every address there is leads to
 * this process: sends to each URI of the corpus by the real egress, and prints which addresses were
 * reached.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ALLOW_NOTHING } from '../../packages/server/src/egress/allow.ts';
import { createEgress } from '../../packages/server/src/egress/client.ts';
import { makeCertificates } from '../../packages/server/src/egress/testing/certificates.ts';
import { brief, post } from '../../packages/server/src/egress/testing/open-egress.ts';
import { onRequest, plain } from '../../packages/server/src/egress/testing/raw-server.ts';
import type { NamespaceReport } from './ssrf-report.ts';
import { type Answer, answersOf, type Entry, readCorpus } from './ssrf-corpus.ts';

const REBINDING_ROUNDS = 1000;

const corpus = readCorpus();
const certificates = makeCertificates('DNS:*.attacker.example,DNS:*.customer.example');
let reached: string[] = [];
let sockets: Socket[] = [];

/** A listener that notes which address it was reached at. */
async function canary(port: number): Promise<Server> {
  const server = port === 443 ? createTlsServer(certificates.good, respond) : createServer(respond);
  server.on('connection', (socket: Socket) => {
    reached.push(String(socket.localAddress).replace(/^::ffff:/, ''));
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  server.listen(port, '::');
  await once(server, 'listening');
  return server;
}

/** Answers as the corpus says for this host and path, else 200. */
function respond(socket: Socket): void {
  socket.on('error', () => undefined);
  onRequest(socket, (request) => {
    const [, path = '', host = ''] = /^\S+ (\S+) [^]*?\r\nhost: (\S+)/i.exec(request) ?? [];
    const entry = corpus.find(({ url }) => url === `https://${host}${path}`);
    if (entry?.respond === undefined) socket.write(plain(200));
    else socket.write(plain(entry.respond.status, '', `Location: ${entry.respond.location}\r\n`));
  });
}

function portsOf(entries: readonly Entry[]): ReadonlySet<number> {
  const ports = new Set([80, 443, 8080, 9200]);
  for (const { url, respond: answer } of entries) {
    for (const text of [url, answer?.location ?? '']) {
      const port = URL.canParse(text) ? new URL(text).port : '';
      if (port !== '' && port !== '0') ports.add(Number(port));
    }
  }
  return ports;
}

function addresses(answer: Answer | undefined): Promise<readonly string[]> {
  if (answer?.rcode !== undefined)
    return Promise.reject(Object.assign(new Error(answer.rcode), { code: answer.rcode }));
  return Promise.resolve([...(answer?.A ?? []), ...(answer?.AAAA ?? [])]);
}

/** As many attempts as there are answers, and one more; what came of them and what was reached. */
async function attempt(entry: Entry): Promise<NamespaceReport['entries'][number]> {
  const answers = answersOf(entry);
  let lookups = 0;
  const egress = createEgress({
    allow: ALLOW_NOTHING,
    requestTimeoutMs: 2000,
    connectTimeoutMs: 1000,
    extraCa: [certificates.authority],
    isOwn: () => false,
    resolve: () => addresses(answers[Math.min(lookups++, answers.length - 1)]),
  });
  reached = [];
  const outcomes: string[] = [];
  for (let count = 0; count <= answers.length; count += 1) {
    outcomes.push(brief(await egress.send(post(entry.url, { pool: `${count}` }))));
  }
  await egress.close();
  for (const socket of sockets) socket.destroy();
  sockets = [];
  return { id: entry.id, outcomes, reached, lookups };
}

/** Good and bad answers by turns, a new connection each time. */
async function rebind(): Promise<NamespaceReport['rebinding']> {
  const bad = ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', '192.168.1.1'];
  let lookups = 0;
  const egress = createEgress({
    allow: ALLOW_NOTHING,
    requestTimeoutMs: 2000,
    connectTimeoutMs: 1000,
    extraCa: [],
    isOwn: () => false,
    resolve: () => {
      lookups += 1;
      const address = lookups % 2 === 0 ? (bad[lookups % bad.length] ?? '') : '93.184.216.34';
      return Promise.resolve([address]);
    },
  });
  reached = [];
  const outcomes: Record<string, number> = {};
  for (let round = 0; round < REBINDING_ROUNDS; round += 1) {
    const outcome = brief(await egress.send(post('http://rebind.attacker.example/')));
    egress.forget('a');
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  await egress.close();
  return { rounds: REBINDING_ROUNDS, outcomes, reached: [...new Set(reached)], lookups };
}

const servers: Server[] = [];
for (const port of portsOf(corpus)) servers.push(await canary(port));
const entries: NamespaceReport['entries'][number][] = [];
for (const entry of corpus) entries.push(await attempt(entry));
const rebinding = await rebind();
const ports = servers.map((server) => (server.address() as AddressInfo).port);
for (const server of servers) server.close();
for (const socket of sockets) socket.destroy();
const report: NamespaceReport = { entries, rebinding, ports };
process.stdout.write(JSON.stringify(report));
