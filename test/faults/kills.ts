import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../../tools/random.ts';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';
import { judge } from './oracle.ts';
import type { Receipt } from './recorder.ts';

export type KillOptions = {
  readonly kills: number;
  readonly seed: number;
  /** Publish calls under way at once. */
  readonly publishers: number;
  readonly registrations: number;
  readonly signal: 'SIGKILL' | 'SIGTERM';
  readonly onProgress: (text: string) => void;
};

/** What came of it. `problems` is empty when every oracle held. */
export type KillReport = {
  readonly acknowledged: number;
  readonly receipts: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly problems: readonly string[];
  readonly seconds: number;
};

/** Node-wide requests in flight. */
const MAX_IN_FLIGHT = 64;
/** An attempt that was answered is still in flight until its commit: so many for each open request. */
const UNSETTLED_PER_IN_FLIGHT = 4;
const DRAIN_MS = 60_000;

/** Ends a loaded server again and again, starts it again, and holds what arrived against what was acknowledged. */
export async function runKills(options: KillOptions): Promise<KillReport> {
  const run = new Run(options);
  try {
    return await run.go();
  } finally {
    await run.clean();
  }
}

class Run {
  readonly #options: KillOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'schoolbell-faults-'));
  readonly #secret = randomBytes(16).toString('hex');
  readonly #receipts: Receipt[] = [];
  readonly #hashes = new Map<number, string>();
  #recorder: ChildProcess | undefined;
  #server: ServerProcess | undefined;
  #port = 0;
  #next = 0;
  #publishing = true;

  constructor(options: KillOptions) {
    this.#options = options;
  }

  async go(): Promise<KillReport> {
    const from = performance.now();
    const port = await this.#startRecorder();
    await this.#startServer();
    for (let n = 0; n < this.#options.registrations; n += 1) await this.#register(port, n);
    const publishers = Array.from({ length: this.#options.publishers }, () => this.#publish());
    await this.#killAgainAndAgain();
    this.#publishing = false;
    await Promise.all(publishers);
    await this.#drain();
    return this.#judge((performance.now() - from) / 1000);
  }

  async clean(): Promise<void> {
    this.#publishing = false;
    await endProcess(this.#server?.process, 'SIGKILL');
    if (this.#recorder?.connected === true) this.#recorder.disconnect();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startRecorder(): Promise<number> {
    const recorder = fork(fileURLToPath(new URL('./recorder.ts', import.meta.url)), {
      env: { ...process.env, RECORDER_SECRET: this.#secret },
    });
    this.#recorder = recorder;
    return new Promise((resolve, reject) => {
      recorder.once('exit', () => reject(new Error('the recorder ended')));
      recorder.on('message', (message: { port: number } | Receipt) => {
        if ('port' in message) resolve(message.port);
        else this.#receipts.push(message);
      });
    });
  }

  /** On the same port each time, as behind a supervisor. */
  async #startServer(): Promise<void> {
    const flags = [
      '--retry-schedule',
      `0s,${'100ms,'.repeat(40)}1s`,
      '--max-in-flight',
      String(MAX_IN_FLIGHT),
    ];
    this.#server = await startServerProcess({
      dataDir: join(this.#folder, 'data'),
      port: this.#port,
      flags,
    });
    this.#port = Number(new URL(this.#server.url).port);
  }

  async #register(port: number, n: number): Promise<void> {
    const response = await this.#call(
      '/webhooks/registrations',
      JSON.stringify({ WebHookUri: `http://127.0.0.1:${port}/r${n}`, Secret: this.#secret }),
    );
    if (response.status !== 201) throw new Error(await response.text());
  }

  #call(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.#server?.url}${path}`, {
      method: 'POST',
      body,
      headers: {
        authorization: `Bearer ${this.#server?.adminKey}`,
        'content-type': 'application/json',
        ...headers,
      },
    });
  }

  /** Publishes numbered events; what is not answered is repeated with its key until it is. */
  async #publish(): Promise<void> {
    while (this.#publishing) {
      const n = this.#next++;
      const body = `{"Action":"CourseCompleted", "N":${n}, "exact":1.0, "big":12345678901234567890}`;
      while (!(await this.#publishOnce(n, body)))
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #publishOnce(n: number, body: string): Promise<boolean> {
    try {
      const response = await this.#call('/webhooks/events', body, { 'idempotency-key': String(n) });
      if (response.status !== 202) return false;
      await response.arrayBuffer();
      this.#hashes.set(n, createHash('sha256').update(body).digest('hex'));
      return true;
    } catch {
      return false;
    }
  }

  async #killAgainAndAgain(): Promise<void> {
    const random = randomFrom(this.#options.seed);
    for (let kill = 1; kill <= this.#options.kills; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 300 + random() * 700));
      await endProcess(this.#server?.process, this.#options.signal);
      await this.#startServer();
      this.#options.onProgress(
        `${kill} of ${this.#options.kills} ${this.#options.signal}, ${this.#hashes.size} acknowledged, ${this.#receipts.length} received`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  async #drain(): Promise<void> {
    const until = performance.now() + DRAIN_MS;
    while (performance.now() < until) {
      const metrics = await (await fetch(`${this.#server?.url}/metrics`)).text();
      if (/schoolbell_deliveries_waiting\{state="pending"\} 0\b/.test(metrics)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #judge(seconds: number): KillReport {
    const { kills, registrations, signal } = this.#options;
    const verdict = judge({
      receipts: this.#receipts,
      hashes: this.#hashes,
      registrations: Array.from({ length: registrations }, (_, n) => `/r${n}`),
      duplicatesAllowed: signal === 'SIGKILL' ? kills * MAX_IN_FLIGHT * UNSETTLED_PER_IN_FLIGHT : 0,
    });
    return {
      ...verdict,
      acknowledged: this.#hashes.size,
      receipts: this.#receipts.length,
      seconds,
    };
  }
}
