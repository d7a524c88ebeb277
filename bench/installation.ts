import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, type ServerProcess, startServerProcess } from '../tools/server-process.ts';
import { BenchDatabase } from './database.ts';

export type InstallationOptions = {
  /** Nodes on one PostgreSQL; null for the embedded store. */
  readonly postgresNodes: number | null;
  readonly flags: readonly string[];
  readonly nodeFlags: readonly string[];
  /** A data folder that is there and is kept; one that is made and removed where absent. */
  readonly dataDir?: string;
  /** A PostgreSQL that is there and is kept; one that is made and removed where absent. */
  readonly filled?: FilledDatabase;
};

/** A database with an installation, and the key by which its registrations can be read. */
export type FilledDatabase = { readonly database: BenchDatabase; readonly encryptionKey: string };

/** What is measured: one server on the embedded store, or nodes on PostgreSQL. */
export class Installation {
  readonly nodes: ServerProcess[] = [];
  database: BenchDatabase | undefined;
  #isKept = false;
  readonly #folders: string[] = [];

  private constructor() {}

  static async start(options: InstallationOptions): Promise<Installation> {
    const installation = new Installation();
    try {
      if (options.postgresNodes === null) await installation.#startEmbedded(options);
      else await installation.#startNodes(options, options.postgresNodes);
      return installation;
    } catch (error) {
      await installation.stop();
      throw error;
    }
  }

  /** The node that is asked where any would do. */
  get first(): ServerProcess {
    const [first] = this.nodes;
    if (first === undefined) throw new Error('no node was started');
    return first;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ process: child }) => endProcess(child)));
    if (!this.#isKept) await this.database?.remove();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  async #startEmbedded({ flags, nodeFlags, dataDir }: InstallationOptions): Promise<void> {
    const folder = dataDir ?? this.#newFolder();
    this.nodes.push(await startServerProcess({ dataDir: folder, port: 0, nodeFlags, flags }));
  }

  async #startNodes(options: InstallationOptions, count: number): Promise<void> {
    const { nodeFlags, filled } = options;
    this.#isKept = filled !== undefined;
    this.database = filled?.database ?? (await BenchDatabase.start());
    const adminKey = randomBytes(24).toString('hex');
    const encryptionKey = filled?.encryptionKey ?? randomBytes(32).toString('base64');
    const flags = ['--database-url', this.database.url, '--encryption-key', encryptionKey];
    flags.push(...options.flags);
    for (let n = 0; n < count; n += 1) {
      const dataDir = this.#newFolder();
      const settings = { dataDir, port: 0, nodeFlags, flags, adminKey };
      this.nodes.push(await startServerProcess(settings));
    }
  }

  #newFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'schoolbell-bench-'));
    this.#folders.push(folder);
    return folder;
  }
}
