import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Binaries, installedBinaries, packagedBinaries } from './binaries.ts';

type User = { readonly uid: number; readonly gid: number };

/** A PostgreSQL of our own, in a folder of its own, reached through a Unix socket. */
export class PostgresServer {
  readonly folder: string;
  readonly #binaries: Binaries;
  readonly #user: User | undefined;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(
    folder: string,
    binaries: Binaries,
    user: User | undefined,
    settings: readonly string[],
  ) {
    this.folder = folder;
    this.#settings = settings;
    this.#binaries = binaries;
    this.#user = user;
  }

  /** Makes an empty cluster and starts it, with further settings as in `postgresql.conf`. */
  static async create(settings: readonly string[] = []): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'schoolbell-pg-'));
    try {
      const binaries = installedBinaries() ?? (await packagedBinaries(folder));
      const user = otherUser();
      mkdirSync(join(folder, 'data'), { mode: 0o700 });
      if (user !== undefined) {
        for (const each of [folder, join(folder, 'data')]) chownSync(each, user.uid, user.gid);
      }
      const server = new PostgresServer(folder, binaries, user, settings);
      await server.#initialise();
      await server.start();
      return server;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Where one of its databases is. */
  url(database: string): string {
    return `postgres://postgres@localhost/${database}?host=${encodeURIComponent(this.folder)}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get socket(): string {
    return join(this.folder, '.s.PGSQL.5432');
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const settings = [
      `unix_socket_directories=${this.folder}`,
      'listen_addresses=',
      'max_connections=200',
      'shared_buffers=128MB',
      'max_wal_size=2GB',
      ...this.#settings,
    ];
    const args = ['-D', join(this.folder, 'data'), ...settings.flatMap((each) => ['-c', each])];
    const child = this.#spawn('postgres', args);
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString('utf8')).slice(-10_000);
        if (output.includes('ready to accept connections')) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`PostgreSQL ended:\n${output}`)));
    });
  }

  /** `immediate` is what a crash is to PostgreSQL: nothing is written down before it ends. */
  async stop(mode: 'fast' | 'immediate' = 'immediate'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  }

  /** Stops it and removes all that it had. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #initialise(): Promise<void> {
    const args = ['-D', join(this.folder, 'data'), '-U', 'postgres'];
    args.push('--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync');
    const child = this.#spawn('initdb', args);
    let output = '';
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (code !== 0) throw new Error(`initdb failed:\n${output}`);
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    return spawn(join(this.#binaries.bin, program), args, {
      ...this.#user,
      cwd: this.folder,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }
}

/** PostgreSQL refuses to run as root. */
function otherUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return userOf('postgres') ?? userOf('nobody') ?? { uid: 65_534, gid: 65_534 };
}

function userOf(name: string): User | undefined {
  if (!existsSync('/etc/passwd')) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}
