import { fileURLToPath } from 'node:url';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';

export type NodeSettings = {
  readonly dataDir: string;
  /** Compiled code is kept here, so that a start costs little. */
  readonly cacheDir: string;
  /** Further flags of `schoolbell serve`. */
  readonly flags: readonly string[];
  /** Given to it; one that it makes where absent. */
  readonly adminKey?: string;
};

export type Start = {
  /** Module under `preloads/` that is loaded before the server's own code. */
  readonly preload?: 'crash-point' | 'clock';
  readonly env?: Readonly<Record<string, string>>;
};

/** One server that is ended and started again, on the same port each time, as behind a supervisor. */
export class FaultNode {
  readonly #settings: NodeSettings;
  #server: ServerProcess | undefined;
  #port = 0;
  #adminKey = '';
  /** Milliseconds from the start of the process until it was ready, of each start. */
  readonly startsMs: number[] = [];

  constructor(settings: NodeSettings) {
    this.#settings = settings;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get adminKey(): string {
    return this.#adminKey;
  }

  get pid(): number {
    return this.#server?.process.pid ?? 0;
  }

  async start({ preload, env }: Start = {}): Promise<void> {
    const from = performance.now();
    const nodeFlags =
      preload === undefined
        ? []
        : ['--import', fileURLToPath(new URL(`./preloads/${preload}.ts`, import.meta.url))];
    const { cacheDir, ...settings } = this.#settings;
    this.#server = await startServerProcess({
      ...settings,
      port: this.#port,
      nodeFlags,
      env: { NODE_COMPILE_CACHE: cacheDir, ...env },
    });
    this.startsMs.push(performance.now() - from);
    this.#port = Number(new URL(this.#server.url).port);
    this.#adminKey = this.#server.adminKey;
  }

  /** What it wrote before it ended of itself; undefined while it runs. */
  get diedWith(): string | undefined {
    const { process: child, output } = this.#server ?? {};
    return child?.exitCode === null && child.signalCode === null ? undefined : output?.();
  }

  /** Ends the process; its exit code, null where a signal ended it, and how long it took. */
  async end(signal: NodeJS.Signals): Promise<{ code: number | null; ms: number }> {
    const from = performance.now();
    await endProcess(this.#server?.process, signal);
    return { code: this.#server?.process.exitCode ?? null, ms: performance.now() - from };
  }

  /** Resolves when the process has ended by itself; false when it has not within the time. */
  ended(withinMs: number): Promise<boolean> {
    const child = this.#server?.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#server?.process.kill(signal);
  }

  async call<T>(method: string, path: string, body?: unknown, tenant = 'default'): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#adminKey}`,
        'schoolbell-tenant': tenant,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
