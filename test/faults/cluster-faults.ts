import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresServer } from '../../tools/postgres/server.ts';
import type { DatabaseLink, LinkMode } from './database-link.ts';
import type { Fault, Scene } from './faults.ts';
import type { FaultNode } from './nodes.ts';

const ALL_SHARDS = 64;
/** Until the others send for a node that went without a word. */
const TAKEN_OVER_WITHIN_MS = 10_000;
/** Until everything goes on when the database is back. */
const READY_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 50;

/** kill -9 of one node, which stays away until the others have taken over what it had. */
export function loss(): Fault {
  return {
    name: 'a node is lost',
    kills: 1,
    run: async (scene) => {
      await sleep(scene.random() * 500);
      const node = pick(scene);
      await node.end('SIGKILL');
      await takenOver(scene, node);
      await node.start();
    },
  };
}

/** A node that stands still for so long that the others have taken over, and then goes on as if nothing were. */
export function freeze(ms: number): Fault {
  return {
    name: 'a node is frozen',
    kills: 1,
    freezes: 1,
    run: async (scene) => {
      const node = pick(scene);
      node.signal('SIGSTOP');
      const from = performance.now();
      await takenOver(scene, node);
      await sleep(Math.max(0, ms - (performance.now() - from)));
      node.signal('SIGCONT');
      await allReady(scene);
    },
  };
}

/** PostgreSQL dies as in a power cut and comes back; whatever any node had in flight may be repeated. */
export function databaseCrash(postgres: PostgresServer, nodes: number): Fault {
  return {
    name: 'the database dies',
    kills: nodes,
    run: async (scene) => {
      await sleep(scene.random() * 500);
      await postgres.stop('immediate');
      await sleep(scene.random() * 1000);
      await postgres.start();
      await allReady(scene);
    },
  };
}

/** One node cannot reach the database as it should, for so long. */
export function trouble(
  links: readonly DatabaseLink[],
  mode: Exclude<LinkMode, 'open'>,
  ms: number,
): Fault {
  return {
    name: `the way to the database is ${mode}`,
    kills: 1,
    run: async (scene) => {
      const link = links[Math.floor(scene.random() * links.length)];
      if (link === undefined) throw new Error('there is no link to trouble');
      link.mode = mode;
      await sleep(ms);
      link.mode = 'open';
      await allReady(scene);
    },
  };
}

/** Each node in turn is stopped and started, as a new version is rolled out. */
export function rollingRestart(): Fault {
  return {
    name: 'a rolling restart',
    kills: 0,
    run: async (scene) => {
      for (const node of scene.nodes) {
        const { code } = await node.end('SIGTERM');
        if (code !== 0) scene.problem(`a graceful stop ended with code ${code}`);
        await node.start();
        await allReady(scene);
      }
    },
  };
}

function pick({ nodes, random }: Scene): FaultNode {
  const node = nodes[Math.floor(random() * nodes.length)];
  if (node === undefined) throw new Error('there is no node to pick');
  return node;
}

/** Waits until the nodes other than this one have every shard. */
async function takenOver({ nodes, problem, onProgress }: Scene, lost: FaultNode): Promise<void> {
  const [other] = nodes.filter((node) => node !== lost);
  const ms = await until(TAKEN_OVER_WITHIN_MS, async () => {
    type Row = { readonly Shards: number };
    const rows = await other?.call<readonly Row[]>('GET', '/admin/nodes').catch(() => []);
    const held = (rows ?? []).map(({ Shards }) => Shards);
    return (
      held.length === nodes.length - 1 && held.reduce((sum, each) => sum + each, 0) === ALL_SHARDS
    );
  });
  if (ms > TAKEN_OVER_WITHIN_MS) problem(`a lost node was not taken over in ${Math.round(ms)} ms`);
  else onProgress(`taken over after ${Math.round(ms)} ms`);
}

async function allReady({ nodes, problem, onProgress }: Scene): Promise<void> {
  const ms = await until(READY_WITHIN_MS, async () => {
    const answers = nodes.map((node) => fetch(`${node.url}/health/ready`).catch(() => undefined));
    return (await Promise.all(answers)).every((answer) => answer?.status === 200);
  });
  if (ms > READY_WITHIN_MS) problem(`not every node was ready after ${Math.round(ms)} ms`);
  else onProgress(`all ready after ${Math.round(ms)} ms`);
}

/** How long it took; more than `withinMs` where it did not come to pass. */
async function until(withinMs: number, holds: () => Promise<boolean>): Promise<number> {
  const from = performance.now();
  while (performance.now() - from <= withinMs) {
    if (await holds()) break;
    await sleep(LOOK_EVERY_MS);
  }
  return performance.now() - from;
}
