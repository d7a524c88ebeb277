import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OPTIONS } from '../../packages/server/src/config/options.ts';
import { randomFrom } from '../../tools/random.ts';
import type { Fault, Scene } from './faults.ts';
import { FaultNode, type NodeSettings } from './nodes.ts';
import { judge, type LogRow } from './oracle.ts';
import { Publisher, type PublisherSettings } from './publisher.ts';
import type { Receipt, RecorderSettings } from './recorder.ts';

/** What one server is started with, besides what all have. */
export type NodePlan = Pick<NodeSettings, 'flags' | 'adminKey'>;

export type FaultRun = {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly load: Pick<PublisherSettings, 'calls' | 'rate' | 'eventsPerCall' | 'maxEvents'>;
  readonly recorder: Pick<RecorderSettings, 'medianMs' | 'failing'>;
  /** Registrations that get every event. */
  readonly registrations: number;
  /** The servers; one on a store of its own where absent. */
  readonly nodes?: readonly NodePlan[];
  /** A server must be ready so soon after its start. */
  readonly readyWithinMs: number;
  readonly onProgress: (text: string) => void;
};

/** What came of it. `problems` is empty when every oracle held. */
export type FaultReport = {
  readonly faults: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly receipts: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly slowestStartMs: number;
  readonly drainMs: number;
  readonly seconds: number;
  readonly problems: readonly string[];
};

/** Requests to one registration in flight: the servers' default. */
const IN_FLIGHT_PER_REGISTRATION = Number(OPTIONS.concurrency.default);
/**
 * An attempt is in flight until its record is on disk: while the answers of one round wait for
 * their commit, the next round is under way.
 */
const ROUNDS_IN_FLIGHT = 2;
const ABANDON_EVERY = 4;
const REPEATED_AT_END = 50;
const DRAIN_MS = 120_000;
const PAGE = 1000;

/** Loads servers, lets faults happen to them, and holds what arrived against what was acknowledged. */
export async function runFaults(run: FaultRun): Promise<FaultReport> {
  const controller = new Controller(run);
  try {
    return await controller.go();
  } finally {
    await controller.clean();
  }
}

class Controller {
  readonly #run: FaultRun;
  readonly #folder = mkdtempSync(join(tmpdir(), 'schoolbell-faults-'));
  readonly #secret = randomBytes(16).toString('hex');
  readonly #receipts: Receipt[] = [];
  readonly #paths = new Map<string, string>();
  readonly #problems: string[] = [];
  readonly #nodes: readonly FaultNode[];
  #recorder: ChildProcess | undefined;
  #publisher: Publisher | undefined;
  #turn = 0;

  constructor(run: FaultRun) {
    this.#run = run;
    this.#nodes = (run.nodes ?? [{ flags: [] }]).map(
      (plan, n) =>
        new FaultNode({
          ...plan,
          dataDir: join(this.#folder, `node${n}`),
          cacheDir: join(this.#folder, 'compiled'),
          flags: ['--retry-schedule', `0s,${'100ms,'.repeat(40)}1s`, ...plan.flags],
        }),
    );
  }

  async go(): Promise<FaultReport> {
    const from = performance.now();
    const port = await this.#startRecorder();
    for (const node of this.#nodes) await node.start();
    await this.#register(port);
    const publisher = this.#startPublisher();
    await this.#letFaultsHappen();
    if (Number.isFinite(this.#run.load.maxEvents)) await publisher.done();
    await publisher.stop();
    const drainMs = await this.#drain();
    await publisher.repeat(REPEATED_AT_END);
    await this.#drain();
    return this.#report(publisher, drainMs, (performance.now() - from) / 1000);
  }

  async clean(): Promise<void> {
    this.#publisher?.giveUp();
    for (const node of this.#nodes) await node.end('SIGKILL');
    if (this.#recorder?.connected === true) this.#recorder.disconnect();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startRecorder(): Promise<number> {
    const recorder = fork(fileURLToPath(new URL('./recorder.ts', import.meta.url)));
    this.#recorder = recorder;
    const settings = { ...this.#run.recorder, secret: this.#secret, seed: this.#run.seed };
    recorder.send(settings satisfies RecorderSettings);
    return new Promise((resolve, reject) => {
      recorder.once('exit', () => reject(new Error('the recorder ended')));
      recorder.on('message', (message: { port: number } | Receipt[]) => {
        if (Array.isArray(message)) this.#receipts.push(...message);
        else resolve(message.port);
      });
    });
  }

  get #first(): FaultNode {
    const [first] = this.#nodes;
    if (first === undefined) throw new Error('a run needs a server');
    return first;
  }

  async #register(port: number): Promise<void> {
    const make = async (path: string, more: object = {}, tenant?: string): Promise<string> => {
      const body = { WebHookUri: `http://127.0.0.1:${port}${path}`, Secret: this.#secret, ...more };
      const made = await this.#first.call<{ Id: string }>(
        'POST',
        '/webhooks/registrations',
        body,
        tenant,
      );
      this.#paths.set(made.Id, path);
      return made.Id;
    };
    for (let n = 0; n < this.#run.registrations; n += 1) await make(`/r${n}`);
    await make('/other', { Filters: ['CourseEnrollment'] });
    await make('/paused', { IsPaused: true });
    const deleted = await make('/deleted');
    await this.#first.call('DELETE', `/webhooks/registrations/${deleted}`);
    await this.#first.call('POST', '/admin/tenants', { Id: 'foreign' });
    await make('/foreign', {}, 'foreign');
  }

  #startPublisher(): Publisher {
    const publisher = new Publisher({
      ...this.#run.load,
      key: this.#first.adminKey,
      url: () => this.#nodes[(this.#turn += 1) % this.#nodes.length]?.url ?? '',
      abandonEvery: this.#run.faults.length > 0 ? ABANDON_EVERY : 0,
    });
    publisher.start();
    this.#publisher = publisher;
    return publisher;
  }

  async #letFaultsHappen(): Promise<void> {
    const { faults, seed, onProgress } = this.#run;
    const scene: Scene = {
      nodes: this.#nodes,
      random: randomFrom(seed),
      problem: (text) => this.#problems.push(text),
      onProgress,
    };
    for (const [index, fault] of faults.entries()) {
      await fault.run(scene);
      for (const { diedWith } of this.#nodes)
        if (diedWith !== undefined) throw new Error(`a server ended of itself:\n${diedWith}`);
      const { size } = this.#publisher?.acknowledged ?? { size: 0 };
      onProgress(
        `${index + 1} of ${faults.length}: ${fault.name}, ${size} acknowledged, ${this.#receipts.length} received`,
      );
    }
  }

  /** How long it took until nothing waited any more. */
  async #drain(): Promise<number> {
    const from = performance.now();
    while (performance.now() < from + DRAIN_MS) {
      if (await this.#nothingWaits()) return performance.now() - from;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.#problems.push(`the backlog was not gone after ${DRAIN_MS / 1000} s`);
    return DRAIN_MS;
  }

  /** By the log: among many nodes the gauge of one is right once a minute. */
  async #nothingWaits(): Promise<boolean> {
    const path = '/webhooks/deliveries?state=pending&limit=1';
    return (await this.#first.call<{ Items: unknown[] }>('GET', path)).Items.length === 0;
  }

  async #readLog(): Promise<LogRow[]> {
    type Row = Omit<LogRow, 'registration'> & { readonly RegistrationId: string };
    type Page = { readonly Items: readonly Row[]; readonly Next: string | null };
    const log: LogRow[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page: Page = await this.#first.call<Page>(
        'GET',
        `/webhooks/deliveries?limit=${PAGE}${after}`,
      );
      for (const row of page.Items)
        log.push({ ...row, registration: this.#paths.get(row.RegistrationId) ?? 'unknown' });
      cursor = page.Next;
    }
    return log;
  }

  async #report(publisher: Publisher, drainMs: number, seconds: number): Promise<FaultReport> {
    const { faults, registrations, readyWithinMs } = this.#run;
    const { acknowledged, unknown, refused } = publisher;
    const kills = faults.reduce((sum, fault) => sum + fault.kills, 0);
    const freezes = faults.reduce((sum, fault) => sum + (fault.freezes ?? 0), 0);
    const inFlight = registrations * IN_FLIGHT_PER_REGISTRATION * ROUNDS_IN_FLIGHT;
    const verdict = judge({
      receipts: this.#receipts,
      acknowledged,
      unknown,
      registrations: Array.from({ length: registrations }, (_, n) => `/r${n}`),
      log: await this.#readLog(),
      inFlightAtKills: kills * inFlight,
      inFlightAtFreezes: freezes * inFlight,
    });
    const slowestStartMs = Math.max(...this.#nodes.flatMap(({ startsMs }) => startsMs));
    const problems = [...this.#problems, ...publisher.problems, ...verdict.problems];
    if (slowestStartMs > readyWithinMs)
      problems.push(`a server was ready only ${Math.round(slowestStartMs)} ms after its start`);
    return {
      ...verdict,
      problems,
      faults: faults.length,
      acknowledged: acknowledged.size,
      unknown: unknown.size,
      refused,
      receipts: this.#receipts.length,
      slowestStartMs,
      drainMs,
      seconds,
    };
  }
}
