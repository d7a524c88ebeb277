import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type RunningSchoolbell,
  type SchoolbellOptions,
  startSchoolbell,
} from '../../packages/server/src/app/schoolbell.ts';
import pg from 'pg';
import { testDatabase } from '../../tools/postgres/test-database.ts';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';

export type Received = {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** A receiver whose answers a test chooses; it answers the echo by itself. */
export class TestReceiver {
  readonly received: Received[] = [];
  /** What a POST is answered with. */
  answer: (response: ServerResponse, received: Received) => void = (response) =>
    response.writeHead(200).end();
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://receiver');
      if (request.method === 'GET') return void response.end(searchParams.get('echo'));
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const received = {
          path: pathname,
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        };
        this.received.push(received);
        this.answer(response, received);
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const resolve of waiting) resolve();
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once so many deliveries have come to the path. */
  async expect(path: string, count: number): Promise<readonly Received[]> {
    for (;;) {
      const found = this.received.filter((each) => each.path === path);
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

let onPostgres = false;

/** Servers of this process keep everything in a PostgreSQL from now on, each in a database of its own. */
export function usePostgres(): void {
  onPostgres = true;
}

/** What a server of a test is told about where it keeps things, and its keys where it must be told. */
export async function storeOptions(): Promise<SchoolbellOptions> {
  if (!onPostgres) return {};
  const { url } = await testDatabase();
  return {
    databaseUrl: url,
    adminKey: randomBytes(24).toString('hex'),
    encryptionKey: randomBytes(32).toString('base64'),
  };
}

/** A server on a folder of its own, or a database, which `restart` opens again. */
export class TestServer {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'schoolbell-e2e-'));
  #options: SchoolbellOptions;
  #running: RunningSchoolbell | undefined;
  #store: Promise<SchoolbellOptions> | undefined;

  constructor(options: SchoolbellOptions = {}) {
    this.#options = options;
  }

  get running(): RunningSchoolbell {
    if (this.#running === undefined) throw new Error('the server is not started');
    return this.#running;
  }

  /** `more` holds from now on. */
  async start(more: SchoolbellOptions = {}): Promise<void> {
    this.#options = { ...this.#options, ...more };
    this.#running = await startSchoolbell(await this.options());
  }

  /** What it is started with: another process that is told so is the same server. */
  async options(): Promise<SchoolbellOptions> {
    this.#store ??= storeOptions();
    return {
      dataDir: this.folder,
      port: 0,
      allowNetworks: ['127.0.0.0/8'],
      schedule: parseSchedule('0ms,30ms,30ms'),
      logLevel: 'silent',
      ...(await this.#store),
      ...this.#options,
    };
  }

  /** Everything that is kept, as it lies there, keys left out. */
  async stored(): Promise<Buffer> {
    const { databaseUrl = null } = (await this.#store) ?? {};
    if (databaseUrl !== null) return Buffer.from(await dump(databaseUrl));
    const files = readdirSync(this.folder).filter((file) => !file.endsWith('.key'));
    return Buffer.concat(files.map((file) => readFileSync(join(this.folder, file))));
  }

  /** What the files of the store hold, byte for byte: also what nothing in them refers to any more. */
  async bytes(): Promise<Buffer> {
    const { databaseUrl = null } = (await this.#store) ?? {};
    return databaseUrl === null ? this.stored() : await filesOf(databaseUrl);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The files of a database whose server runs on this machine. */
async function filesOf(url: string): Promise<Buffer> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('checkpoint');
    const { rows } = await client.query<{ folder: string }>(
      `select current_setting('data_directory') || '/base/' || oid as folder
         from pg_database
        where datname = current_database()`,
    );
    const folder = rows[0]?.folder ?? '';
    return Buffer.concat(readdirSync(folder).map((file) => readFileSync(join(folder, file))));
  } finally {
    await client.end();
  }
}

/** Every row of every table, as text. */
async function dump(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public'",
    );
    let text = '';
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      text += rows.map(({ row }) => row).join('\n');
    }
    return text;
  } finally {
    await client.end();
  }
}

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
};

/** JSON whose shape a test asserts by reading it. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test that reads a wrong member fails
export type Json = any;

/** Calls as one key, in one tenant. */
export function caller(server: TestServer, key: () => string, tenant?: string) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(server.running.url + path, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`api:${key()}`).toString('base64')}`,
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        ...(tenant === undefined ? {} : { 'schoolbell-tenant': tenant }),
        ...headers,
      },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text: answer,
      json: answer === '' ? undefined : parse(answer),
    };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Asks again until the answer is as wanted; for states that follow an answer by a commit. */
export async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
