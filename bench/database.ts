import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { PostgresServer } from '../tools/postgres/server.ts';

/** What the database did since it was last asked. */
export type DatabaseWork = {
  readonly statements: number;
  /** In which it worked on statements, summed over connections; waits for locks and the disk are within. */
  readonly statementMicros: number;
  readonly cpuMicros: number;
};

/** A PostgreSQL of its own on this machine, as it comes but for counting statements. */
export class BenchDatabase {
  readonly #server: PostgresServer;
  readonly #client: pg.Client;
  #cpuMicros = 0;

  private constructor(server: PostgresServer, client: pg.Client) {
    this.#server = server;
    this.#client = client;
  }

  static async start(): Promise<BenchDatabase> {
    const server = await PostgresServer.create(['shared_preload_libraries=pg_stat_statements']);
    const client = new pg.Client({ connectionString: server.url('postgres') });
    await client.connect();
    await client.query('create extension pg_stat_statements');
    return new BenchDatabase(server, client);
  }

  get url(): string {
    return this.#server.url('postgres');
  }

  /** Deliveries that are pending: until the last of those in hand together has ended, all of these. */
  async pending(): Promise<number> {
    const { rows } = await this.#client.query(`
      select ((select count(*) from deliveries where state = 0)
              + (select coalesce(sum(cardinality(ids)), 0) from deliveries_in_hand))::int as count`);
    return (rows as { count: number }[])[0]?.count ?? 0;
  }

  async work(): Promise<DatabaseWork> {
    const { rows } = await this.#client.query(
      'select sum(calls)::float8 as calls, sum(total_exec_time)::float8 as ms from pg_stat_statements',
    );
    await this.#client.query('select pg_stat_statements_reset()');
    const { calls, ms } = (rows as { calls: number; ms: number }[])[0] ?? { calls: 0, ms: 0 };
    const before = this.#cpuMicros;
    this.#cpuMicros = cpuMicrosOfFamily(this.#server.pid);
    return { statements: calls, statementMicros: ms * 1000, cpuMicros: this.#cpuMicros - before };
  }

  async remove(): Promise<void> {
    await this.#client.end();
    await this.#server.remove();
  }
}

/** Of a process and all its children, those that have ended too; from /proc in clock ticks of 10 ms. */
function cpuMicrosOfFamily(pid: number): number {
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(name);
    const isParent = Number(name) === pid;
    if (!isParent && Number(fields[1]) !== pid) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
    if (isParent) ticks += Number(fields[13]) + Number(fields[14]);
  }
  return ticks * 10_000;
}

function statOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  } catch {
    // It has ended since the folder was read.
    return [];
  }
}
