import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ServerProcess } from '../tools/server-process.ts';
import type { Load, LoadResult } from './load.ts';
import type { RawResult, RawRun } from './raw.ts';
import type { Count, Receipts } from './receiver.ts';

/** A part of the bench that runs in a process of its own and answers each message with one. */
class Part {
  readonly #process: ChildProcess;

  constructor(name: 'load' | 'raw' | 'receiver') {
    const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
    this.#process = fork(file, { serialization: 'advanced' });
  }

  ask<T>(message: object | string): Promise<T> {
    const answer = this.next<T>();
    this.#process.send(message);
    return answer;
  }

  next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number): void => reject(new Error(`it ended with code ${code}`));
      this.#process.once('exit', onExit);
      this.#process.once('message', (message) => {
        this.#process.off('exit', onExit);
        resolve(message as T);
      });
    });
  }

  stop(): void {
    if (this.#process.connected) this.#process.disconnect();
  }
}

/** What answers 200 and counts. */
export class Receiver {
  readonly #part: Part;
  readonly port: number;

  private constructor(part: Part, port: number) {
    this.#part = part;
    this.port = port;
  }

  static async start(): Promise<Receiver> {
    const part = new Part('receiver');
    const { port } = await part.next<{ port: number }>();
    return new Receiver(part, port);
  }

  reset(): Promise<Count> {
    return this.#part.ask('reset');
  }

  count(): Promise<Count> {
    return this.#part.ask('count');
  }

  receipts(): Promise<Receipts> {
    return this.#part.ask('receipts');
  }

  stop(): void {
    this.#part.stop();
  }
}

/** The load generator; it keeps its process from one load to the next. */
export class Generator {
  readonly #part = new Part('load');

  run(load: Load): Promise<LoadResult> {
    return this.#part.ask(load);
  }

  stop(): void {
    this.#part.stop();
  }
}

/** The raw limit, against a receiver of its own. */
export async function measureRaw(run: Omit<RawRun, 'port'>): Promise<RawResult> {
  const receiver = await Receiver.start();
  const raw = new Part('raw');
  try {
    return await raw.ask<RawResult>({ ...run, port: receiver.port });
  } finally {
    raw.stop();
    receiver.stop();
  }
}

/** User and system time, all threads, from /proc in clock ticks of 10 ms. */
export function cpuMicrosOf({ process: { pid } }: ServerProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export function rssMbOf({ process: { pid } }: ServerProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** Looks values of `/metrics` up by their names and labels as written there; reading begins new maxima. */
export async function metricsOf({ url }: ServerProcess): Promise<(name: string) => number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  return (name) => {
    const line = lines.find((each) => each.startsWith(`${name} `));
    if (line === undefined) throw new Error(`there is no metric ${name}`);
    return Number(line.slice(name.length));
  };
}
