import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { PostgresServer } from '../../tools/postgres/server.ts';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';

/** One server with nothing else, or several on one PostgreSQL. */
export class Servers {
  readonly #all: ServerProcess[] = [];
  #postgres: PostgresServer | undefined;
  #killed = 0;

  async start(folder: string, count: number): Promise<void> {
    const flags = count === 1 ? [] : await this.#startPostgres();
    const given = count === 1 ? {} : { adminKey: randomBytes(24).toString('hex') };
    for (let n = 1; n <= count; n += 1) {
      const dataDir = join(folder, `node-${n}`);
      this.#all.push(await startServerProcess({ dataDir, port: 0, flags, ...given }));
    }
  }

  get first(): ServerProcess {
    const [first] = this.alive;
    if (first === undefined) throw new Error('No server runs.');
    return first;
  }

  /** Ended ones left out. */
  get alive(): readonly ServerProcess[] {
    return this.#all.filter(
      ({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null,
    );
  }

  get killed(): number {
    return this.#killed;
  }

  /** Hands an event to a node; where that one is gone, to the next, with the same key. */
  async publish(notification: Notification, key: string, turn: number): Promise<void> {
    const nodes = this.alive;
    const node = nodes[turn % nodes.length] ?? this.first;
    const client = new SchoolbellClient({ baseUrl: node.url, key: node.adminKey });
    try {
      await client.publish(notification, { idempotencyKey: key });
    } catch (error) {
      const isGone = error instanceof TypeError && this.#killed > 0;
      if (!isGone || nodes.length < 2) throw error;
      await this.publish(notification, key, turn + 1);
    }
  }

  /** kill -9 of the node that made the most attempts: the one that sends. Resolves with its address. */
  async killTheSender(): Promise<string> {
    const made = await Promise.all(this.alive.map(attemptsOf));
    const sender = this.alive[made.indexOf(Math.max(...made))];
    this.#killed += 1;
    await endProcess(sender?.process, 'SIGKILL');
    return sender?.url ?? '';
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map(({ process: child }) => endProcess(child)));
    await this.#postgres?.remove();
  }

  async #startPostgres(): Promise<string[]> {
    this.#postgres = await PostgresServer.create();
    const encryptionKey = randomBytes(32).toString('base64');
    const url = this.#postgres.url('postgres');
    return ['--database-url', url, '--encryption-key', encryptionKey];
  }
}

type Notification = { readonly Action: string; readonly [member: string]: unknown };

async function attemptsOf({ url }: ServerProcess): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const counts = metrics.matchAll(/^schoolbell_attempts_total\{.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
