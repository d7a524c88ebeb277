import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Cluster, withCluster } from './cluster.ts';
import { databaseCrash, freeze, loss, rollingRestart, trouble } from './cluster-faults.ts';
import { type Fault, kill } from './faults.ts';
import { runFaults } from './run.ts';

const NODES = 3;
/** Longer than the lease of a node. */
const LONG_MS = 6500;

/** Prints its seed, so that what failed can be run again. */
function hold(t: TestContext, faultsOf: (cluster: Cluster) => readonly Fault[]): Promise<void> {
  return withCluster(NODES, async (cluster) => {
    const seed = Date.now() % 1_000_000;
    const report = await runFaults({
      seed,
      faults: faultsOf(cluster),
      nodes: cluster.nodes,
      load: { calls: 8, rate: 150, eventsPerCall: 1, maxEvents: Infinity },
      recorder: { medianMs: 4, failing: 0.01 },
      registrations: 3,
      readyWithinMs: 30_000,
      onProgress: (text) => t.diagnostic(text),
    });
    const { acknowledged, lost, duplicates } = report;
    t.diagnostic(
      `seed ${seed}: ${acknowledged} acknowledged, ${lost} lost, ${duplicates} duplicates`,
    );
    assert.deepEqual(report.problems, []);
    assert.ok(acknowledged > 50);
  });
}

test('nothing acknowledged is lost when nodes are killed under load, and the others take over', (t) =>
  hold(t, () => [...Array.from({ length: 20 }, () => kill({ leastMs: 20, mostMs: 200 })), loss()]));

test('nothing is lost when a node stands still, is cut off from the database, or the database dies', (t) =>
  hold(t, ({ postgres, links }) => [
    freeze(LONG_MS),
    databaseCrash(postgres, NODES),
    trouble(links, 'cut', LONG_MS),
    databaseCrash(postgres, NODES),
    trouble(links, 'silent', LONG_MS),
    trouble(links, 'slow', 1000),
  ]));

test('a rolling restart under load loses nothing and repeats nothing', (t) =>
  hold(t, () => [rollingRestart()]));
