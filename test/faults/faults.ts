import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultNode } from './nodes.ts';

/** What a fault works with. */
export type Scene = {
  readonly nodes: readonly FaultNode[];
  /** From 0 to 1, repeatable by the seed of the run. */
  readonly random: () => number;
  /** What must not happen. */
  readonly problem: (text: string) => void;
  readonly onProgress: (text: string) => void;
};

/**
 * `kills`: how many of the servers it ended without warning, each of which may repeat what was in flight.
 * `freezes`: how many of these go on later, and then send what they were about to.
 */
export type Fault = {
  readonly name: string;
  readonly kills: number;
  readonly freezes?: number;
  readonly run: (scene: Scene) => Promise<void>;
};

export type Pause = { readonly leastMs: number; readonly mostMs: number };

/** A graceful stop may take so long. */
const STOP_WITHIN_MS = 30_000;

/** kill -9 at a moment that means nothing to the server. */
export function kill(pause: Pause): Fault {
  return {
    name: 'SIGKILL',
    kills: 1,
    run: async ({ nodes, random }) => {
      await sleep(pause.leastMs + random() * (pause.mostMs - pause.leastMs));
      const node = nodes[Math.floor(random() * nodes.length)];
      await node?.end('SIGKILL');
      await node?.start();
    },
  };
}

/** SIGTERM: it finishes what is under way, and nothing is repeated. */
export function stop(pause: Pause): Fault {
  return {
    name: 'SIGTERM',
    kills: 0,
    run: async ({ nodes, random, problem }) => {
      await sleep(pause.leastMs + random() * (pause.mostMs - pause.leastMs));
      const node = nodes[Math.floor(random() * nodes.length)];
      if (node === undefined) return;
      const { code, ms } = await node.end('SIGTERM');
      if (code !== 0) problem(`a graceful stop ended with code ${code}`);
      if (ms > STOP_WITHIN_MS) problem(`a graceful stop took ${Math.round(ms)} ms`);
      await node.start();
    },
  };
}

/** Places around each commit, send and answer, in the order a delivery passes them. */
export const CRASH_POINTS: readonly string[] = [
  'before accept',
  'after accept',
  'before commit of accept',
  'after commit of accept',
  'before 202',
  'after 202',
  'before post',
  'after post',
  'answer read',
  'before settle',
  'after settle',
  'before commit of settle',
  'after commit of settle',
  'before claim',
  'after claim',
  'before commit of claim',
  'after commit of claim',
];

/** The latest passing of a crash point at which a server kills itself. */
const PASSINGS = 20;
const PASSED_WITHIN_MS = 20_000;

/** The server kills itself at each of these places in its code, in turn; see `preloads/crash-point.ts`. */
export function crashes(points: readonly string[]): Fault {
  return {
    name: 'crashes',
    kills: points.length,
    run: async ({ nodes, random, problem, onProgress }) => {
      const node = nodes[Math.floor(random() * nodes.length)];
      if (node === undefined) return;
      await node.end('SIGTERM');
      for (const point of points) {
        const passing = 1 + Math.floor(random() * PASSINGS);
        const env = { CRASH_POINT: `${point}:${passing}` };
        // It may crash before it is ready, with what the run before left to do.
        await node.start({ preload: 'crash-point', env }).catch(() => undefined);
        if (!(await node.ended(PASSED_WITHIN_MS)))
          problem(`the server did not pass '${point}' ${passing} times`);
        await node.end('SIGKILL');
        onProgress(`crashed ${point}`);
      }
      await node.start();
    },
  };
}

const HOUR_MS = 3_600_000;

/** The machine's clock is set forward and back by hours while the server runs. */
export function clockSteps(pauseMs: number): Fault {
  return {
    name: 'clock steps',
    kills: 0,
    run: async ({ nodes, onProgress }) => {
      const offsets = [HOUR_MS, -HOUR_MS, 6 * HOUR_MS, 0];
      for (const node of nodes) {
        await node.end('SIGTERM');
        await node.start({ preload: 'clock', env: { CLOCK_OFFSETS_MS: offsets.join() } });
      }
      for (const offset of offsets) {
        await sleep(pauseMs);
        for (const node of nodes) node.signal('SIGUSR2');
        onProgress(`clock ${offset / HOUR_MS} h off`);
      }
    },
  };
}
