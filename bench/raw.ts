import { Client } from 'undici';
import { buildBody } from '../packages/server/src/core/envelope.ts';
import { deliveryHeaders } from '../packages/server/src/core/signature.ts';
import { notificationOf } from './payload.ts';

export type RawRun = {
  readonly port: number;
  /** Run first and not counted: the compiler's and the connections' first second is nobody's speed. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
};

export type RawResult = { readonly rate: number; readonly cpuMicrosPerPost: number };

/** As many as were fastest of 4, 8, 16, 32, 64 and 128. */
const CONNECTIONS = 32;
/** Made beforehand: the raw limit builds, signs and posts, and nothing else. */
const NOTIFICATIONS = Array.from({ length: 1024 }, (_, n) => notificationOf(n, 1_790_000_000_000));
const ID = 'f'.repeat(32);
const SECRET = 's'.repeat(32);

/** The raw limit: a bare undici loop that builds, signs and posts a delivery over and over. */
async function run({ port, warmUpSeconds, seconds }: RawRun): Promise<RawResult> {
  const clients = Array.from(
    { length: CONNECTIONS },
    () => new Client(`http://127.0.0.1:${port}`, { headersTimeout: 0, bodyTimeout: 0 }),
  );
  await post(clients, warmUpSeconds);
  const cpu = process.cpuUsage();
  const from = performance.now();
  const sent = await post(clients, seconds);
  const took = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await Promise.all(clients.map((client) => client.close()));
  return { rate: sent / took, cpuMicrosPerPost: (user + system) / sent };
}

async function post(clients: readonly Client[], seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  const sent = await Promise.all(clients.map((client) => loop(client, until)));
  return sent.reduce((sum, each) => sum + each, 0);
}

function loop(client: Client, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    const next = (): void => {
      if (performance.now() > until) return resolve(sent);
      const body = buildBody({
        id: ID,
        attempt: 1,
        properties: '{}',
        notifications: [NOTIFICATIONS[sent % NOTIFICATIONS.length] ?? ''],
      });
      client.dispatch({ method: 'POST', path: '/hook', headers: headersOf(body), body }, handler);
    };
    const handler = {
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: () => undefined,
      onResponseEnd: () => {
        sent += 1;
        next();
      },
      onResponseError: (_controller: unknown, error: Error) => reject(error),
    };
    next();
  });
}

function headersOf(body: Uint8Array): string[] {
  const flat: string[] = [];
  const secrets = { msSecret: SECRET, standardSecrets: [SECRET] };
  const signed = {
    ...secrets,
    id: ID,
    sequence: 1,
    timestampSeconds: 1_790_000_000,
    body,
    headers: [],
  };
  for (const [name, value] of deliveryHeaders(signed)) flat.push(name, value);
  return flat;
}

process.on('message', (message: RawRun) => {
  run(message).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`raw: ${String(error)}\n`);
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
