/**
 * Run by ssrf-paths.test.ts in a network namespace of its own, in which every address there is leads
 * to this process, name servers included: takes each URI of the corpus through the whole server by
 * every path that makes a request, and prints what came of it and which addresses were reached.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { getServers } from 'node:dns';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSchoolbell } from '../../packages/server/src/app/schoolbell.ts';
import { explain } from '../../packages/server/src/core/explain.ts';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { ALLOW_NOTHING } from '../../packages/server/src/egress/allow.ts';
import { createEgress } from '../../packages/server/src/egress/client.ts';
import { verifyEcho } from '../../packages/server/src/egress/echo.ts';
import { makeCertificates } from '../../packages/server/src/egress/testing/certificates.ts';
import { type DnsAnswer, dnsServer } from '../../packages/server/src/egress/testing/dns-server.ts';
import { namesOf, openCanaries } from './canaries.ts';
import { answersOf, type Entry, readCorpus } from './ssrf-corpus.ts';
import { type Path, PATHS, type PathsReport } from './ssrf-paths-report.ts';
import { writeRows } from './stored-rows.ts';

type End = PathsReport[Path][number];

const SECRET = '0123456789abcdef0123456789abcdef';
/** As many as the longest sequence of answers of one name, and one more. */
const EVENTS = 4;

const corpus = readCorpus();
const certificates = makeCertificates(namesOf(corpus));
const canaries = await openCanaries(corpus, certificates.good, true);
const folder = mkdtempSync(join(tmpdir(), 'schoolbell-ssrf-'));
const caFile = join(folder, 'ca.pem');
writeFileSync(caFile, certificates.authority);

/** How often each name was looked up in the path that runs now. */
let lookups = new Map<string, number>();
const servers = await Promise.all(
  getServers().map((host) => dnsServer(answer, { host, port: 53 })),
);

/** As the corpus says; each A look-up of a name that changes its mind is the next of its answers. */
function answer(name: string, type: string): DnsAnswer {
  const entry = corpus.find(({ url }) => hostOf(url) === name);
  if (entry === undefined) return { A: ['93.184.216.34'] };
  const count = lookups.get(name) ?? 0;
  if (type === 'A') lookups.set(name, count + 1);
  const answers = answersOf(entry);
  const { CNAME, rcode, ...addresses } = answers[Math.min(count, answers.length - 1)] ?? {};
  return {
    ...addresses,
    ...(CNAME === undefined ? {} : { CNAME: [CNAME] }),
    ...(rcode === 'NXDOMAIN' || rcode === 'SERVFAIL' ? { rcode } : {}),
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, '') : '';
}

/** Names that change their mind have done so already, where a path makes one request only. */
function changeMinds(): void {
  lookups = new Map(corpus.map((entry) => [hostOf(entry.url), answersOf(entry).length - 1]));
}

const start = (): ReturnType<typeof startSchoolbell> =>
  startSchoolbell({
    dataDir: folder,
    caFile,
    schedule: parseSchedule('0ms,20ms'),
    logLevel: 'silent',
  });

let running = await start();

async function call(method: string, path: string, body?: object): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`api:${running.adminKey}`).toString('base64')}`;
  return fetch(`${running.url}${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function create({ id, url }: Entry): Promise<End> {
  const response = await call('POST', '/webhooks/registrations', {
    WebHookUri: url,
    Secret: SECRET,
    Filters: ['*'],
  });
  const told = await response.text();
  if (response.status === 201) {
    const { Id } = JSON.parse(told) as { Id: string };
    await call('DELETE', `/webhooks/registrations/${Id}`);
  }
  return { id, ends: [String(response.status)], told: response.status === 201 ? '' : told };
}

async function updater(): Promise<(entry: Entry) => Promise<End>> {
  const uri = 'https://example.com/before?noecho=';
  const made = await call('POST', '/webhooks/registrations', {
    WebHookUri: uri,
    Secret: SECRET,
    Filters: ['*'],
  });
  const before = (await made.json()) as { Id: string };
  return async ({ id, url }) => {
    const path = `/webhooks/registrations/${before.Id}`;
    const response = await call('PUT', path, { ...before, WebHookUri: url });
    return { id, ends: [String(response.status)], told: await response.text() };
  };
}

async function echo(entry: Entry): Promise<End> {
  const egress = createEgress({
    allow: ALLOW_NOTHING,
    requestTimeoutMs: 5000,
    connectTimeoutMs: 5000,
    extraCa: [certificates.authority],
    isOwn: () => false,
  });
  const result = await verifyEcho(egress, { uri: entry.url, headers: [], token: 'abcdef01' });
  await egress.close();
  const told = result.ok ? '' : result.text;
  return { id: entry.id, ends: [result.ok ? 'verified' : 'refused'], told };
}

async function sendTest(id: string, entry: Entry): Promise<End> {
  const response = await call('POST', `/webhooks/registrations/${id}/test`);
  const told = await response.text();
  const { Outcome = String(response.status) } = JSON.parse(told) as { Outcome?: string };
  return { id: entry.id, ends: [Outcome], told };
}

/** One event after the other, each until all of its deliveries have ended. */
async function deliver(rows: ReadonlyMap<string, Entry>): Promise<End[]> {
  const ends = new Map([...rows].map(([id]) => [id, [] as string[]]));
  const told = new Map<string, string>();
  for (let count = 0; count < EVENTS; count += 1) {
    const published = await call('POST', '/webhooks/events', { Action: 'CourseCompleted' });
    const { Id } = (await published.json()) as { Id: string };
    for (const row of await ended(Id)) {
      const found = await running.library.deliveries.get('default', row.id);
      for (const { outcome } of found?.attempts ?? []) {
        ends.get(row.registrationId)?.push(explain(outcome).class);
        told.set(row.registrationId, explain(outcome).sentence);
      }
    }
  }
  return [...rows].map(([id, entry]) => ({
    id: entry.id,
    ends: ends.get(id) ?? [],
    told: told.get(id) ?? '',
  }));
}

/** The deliveries of an event, once none of them is pending. */
async function ended(eventId: string): Promise<readonly { id: string; registrationId: string }[]> {
  for (;;) {
    const { items } = await running.library.deliveries.list({
      tenant: 'default',
      limit: 1000,
      eventId,
    });
    if (items.length >= corpus.length && items.every(({ state }) => state !== 'pending'))
      return items;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const reached: Record<string, ReturnType<typeof canaries.take>> = {};

/** Runs one path from fresh look-ups, and notes what was reached meanwhile. */
async function along<T>(path: Path, work: () => Promise<T>, prepare?: () => void): Promise<T> {
  lookups = new Map();
  prepare?.();
  canaries.take();
  const result = await work();
  canaries.dropConnections();
  reached[path] = canaries.take();
  return result;
}

/** Proves that the listeners see what they are there to see. */
async function connectToEach(places: readonly string[]): Promise<readonly string[]> {
  for (const place of places) {
    const [host = '', port] = place.split(' ');
    const socket = connect({ host, port: Number(port) });
    await once(socket, 'connect');
    socket.destroy();
  }
  return canaries.take().map(({ address, port }) => `${address} ${port}`);
}

async function each(work: (entry: Entry) => Promise<End>): Promise<End[]> {
  const ends: End[] = [];
  for (const entry of corpus) ends.push(await work(entry));
  return ends;
}

const created = await along('create', () => each(create));
const update = await updater();
const updated = await along('update', () => each(update));
const echoed = await along('echo', () => each(echo), changeMinds);
await running.stop();
const ids = await writeRows(
  folder,
  corpus.map(({ url }) => ({ webHookUri: url })),
);
const rows = new Map(ids.map((id, index) => [id, corpus[index]!]));
running = await start();
const tested = await along(
  'test',
  () => Promise.all([...rows].map(([id, entry]) => sendTest(id, entry))),
  changeMinds,
);
const delivered = await along('delivery', () => deliver(rows));
await running.stop();
const tried = [
  '10.0.0.1 8080',
  '127.0.0.1 80',
  '169.254.169.254 80',
  '192.168.1.1 443',
  '::1 9200',
];
const seen = await connectToEach(tried);
canaries.close();
for (const server of servers) server.close();
rmSync(folder, { recursive: true });
const report: PathsReport = {
  create: created,
  update: updated,
  echo: echoed,
  test: tested,
  delivery: delivered,
  reached: Object.fromEntries(
    PATHS.map((path) => [path, reached[path] ?? []]),
  ) as PathsReport['reached'],
  tried,
  seen,
};
process.stdout.write(JSON.stringify(report));
