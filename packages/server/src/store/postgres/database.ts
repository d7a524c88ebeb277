import pg from 'pg';
import { AppError } from '../../core/errors.ts';
import type { Row } from '../rows.ts';
import { toWire } from './arrays.ts';

/** A statement with its text, prepared once a connection under its name. */
export type Statement = { readonly name: string; readonly text: string };

export type DatabaseOptions = {
  readonly url: string;
  /** Past the pooler, where there is one. */
  readonly listenUrl: string | null;
  /** Connections at most, the one that listens left out. */
  readonly poolSize: number;
  /** A statement that takes longer is given up, by the server and by us. */
  readonly statementTimeoutMs: number;
  /** True behind a pooler in transaction mode: statements are not prepared and no session is set up. */
  readonly pooled: boolean;
};

/**
 * What a session is set to. Plans must not depend on how full the tables were when they were made,
 * and a statement is planned once: with partitions of many days that takes longer than to run it.
 */
const SESSION = [
  'jit=off',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'max_parallel_workers_per_gather=0',
  'plan_cache_mode=force_generic_plan',
  'client_min_messages=warning',
];
/** They know the plans of searches, which take longer to make than to run: not again for who searches seldom. */
const CONNECTIONS_KEPT = 4;
const CONNECT_WITHIN_MS = 3000;
/** Beyond the server's own limit: an answer that never comes is no reason to wait for ever. */
const GRACE_MS = 2000;
/** Whoever stands still within a transaction for so long loses it: others wait for what it has locked. */
const IDLE_IN_TRANSACTION_MS = 5000;

export type Query = (statement: Statement, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** Connections to PostgreSQL. Every failure of the database itself is `unavailable`. */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #pool: pg.Pool;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#pool = new pg.Pool({
      ...this.#client(),
      max: options.poolSize,
      min: Math.min(options.poolSize, CONNECTIONS_KEPT),
      idleTimeoutMillis: 60_000,
    });
    // A resting connection that breaks is replaced by the next query; that one tells of trouble.
    this.#pool.on('error', ignore);
  }

  /** One statement, which is a transaction of its own. */
  async query(statement: Statement, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      const { rows } = await this.#pool.query<Row>(this.#named(statement, values));
      return rows;
    } catch (error) {
      throw toAppError(error);
    }
  }

  /** Several statements in one transaction. */
  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let broken: unknown;
    // Besides failing its query a connection that breaks says so itself, and nobody else listens.
    const onError = (error: unknown): unknown => (broken = error);
    client.on('error', onError);
    try {
      await client.query('begin');
      const result = await work(async (statement, values = []) => {
        const { rows } = await client.query<Row>(this.#named(statement, values));
        return rows;
      });
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((failure: unknown) => (broken = failure));
      throw toAppError(error);
    } finally {
      client.off('error', onError);
      client.release(broken !== undefined);
    }
  }

  /** A connection of its own outside the pool, for what a session must hold. */
  session(): pg.Client {
    const { url, listenUrl } = this.#options;
    const client = new pg.Client({ ...this.#client(), connectionString: listenUrl ?? url });
    // Whoever asks something next is told.
    return client.on('error', ignore);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw toAppError(error);
    }
  }

  #named(statement: Statement, values: readonly unknown[]): pg.QueryConfig {
    const { name, text } = statement;
    const sent = { text, values: toWire(statement, values) };
    return this.#options.pooled ? sent : { name, ...sent };
  }

  #client(): pg.ClientConfig {
    const { url, statementTimeoutMs, pooled } = this.#options;
    const session = {
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      options: SESSION.map((each) => `-c ${each}`).join(' '),
    };
    return {
      connectionString: url,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      query_timeout: statementTimeoutMs + GRACE_MS,
      application_name: 'schoolbell',
      keepAlive: true,
      types: TYPES,
      ...(pooled ? {} : session),
    };
  }
}

function ignore(): void {
  // Without a listener such an error would end the process.
}

/** Counts and times are far below 2^53. */
const TYPES = new pg.TypeOverrides();
TYPES.setTypeParser(pg.types.builtins.INT8, Number);

/** Classes of SQLSTATE that mean: not now. Connection, resources, intervention, system. */
const UNAVAILABLE = /^(08(?!P01)|53|57|58|25006|40|55)/;
const TRY_AGAIN_AFTER_SECONDS = 5;

/** SQLSTATE of text that no column can hold, such as one with a NUL. */
export const NOT_TEXT = '22021';

export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function toAppError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  // What neither the server refused with a code nor we did is trouble on the way to it.
  const isOurs = [pg.DatabaseError, TypeError, RangeError].some((kind) => error instanceof kind);
  if (isOurs && (code === undefined || !UNAVAILABLE.test(code))) return error;
  return new AppError(
    'unavailable',
    'The database cannot be reached now. Try again later, with the same idempotency key where there is one.',
    { retryAfterSeconds: TRY_AGAIN_AFTER_SECONDS, cause: error },
  );
}
