import { Command, Option } from 'commander';
import { type Cluster, withCluster } from './cluster.ts';
import { databaseCrash, freeze, loss, rollingRestart, trouble } from './cluster-faults.ts';
import { clockSteps, CRASH_POINTS, crashes, type Fault, kill, stop } from './faults.ts';
import { type FaultReport, runFaults } from './run.ts';

const options = new Command('faults')
  .description('Ends a loaded server again and again and checks that nothing acknowledged is lost.')
  .option('--kills <number>', 'how often it is killed at a random moment (kill -9)', '20')
  .option(
    '--crashes <number>',
    'how often it kills itself at each place around commits and sends',
    '0',
  )
  .option('--stops <number>', 'how often it is stopped gracefully (SIGTERM)', '0')
  .option('--clock', 'sets its clock forward and back by hours as well')
  .option(
    '--nodes <number>',
    'so many servers on one PostgreSQL, which makes the next ones possible',
  )
  .option(
    '--losses <number>',
    'how often a node is killed and stays away until others took over',
    '0',
  )
  .option('--freezes <number>', 'how often a node stands still (SIGSTOP)', '0')
  .option('--freeze <ms>', 'for how long', '60000')
  .option('--database-crashes <number>', 'how often PostgreSQL dies (pg_ctl -m immediate)', '0')
  .option(
    '--cuts <number>',
    'how often a node is cut off from PostgreSQL, hears nothing, and waits',
    '0',
  )
  .option('--rolls <number>', 'rolling restarts of all nodes', '0')
  .option(
    '--deliveries <number>',
    'publishes until so many are made: to count duplicates without faults',
  )
  .option('--seed <number>', 'repeats the moments of the faults', String(Date.now() % 1_000_000))
  .option('--rate <number>', 'events a second; 0 for as many as are answered', '500')
  .option('--calls <number>', 'publish calls under way at once', '24')
  .option('--batch <number>', 'events a call', '1')
  .option('--registrations <number>', 'registrations that get every event', '3')
  .option('--pause <ms>', 'longest pause between two faults', '3000')
  .option('--median <ms>', 'median time of the receiver until it answers', '10')
  .addOption(new Option('--json', 'print JSON alone'))
  .parse()
  .opts<Record<string, string> & { clock?: true; json?: true }>();

const LEAST_PAUSE_MS = 300;
const READY_WITHIN_MS = 5000;
/** Longer than the lease of a node. */
const CUT_MS = 7000;
const number = (name: string): number => Number(options[name] ?? 0);

function faultsOf(cluster: Cluster | undefined): Fault[] {
  const pause = { leastMs: LEAST_PAUSE_MS, mostMs: number('pause') };
  const times = (count: number, make: () => readonly Fault[]): Fault[] =>
    Array.from({ length: count }, make).flat();
  return [
    ...times(number('kills'), () => [kill(pause)]),
    ...times(number('crashes'), () => [crashes(CRASH_POINTS)]),
    ...times(number('stops'), () => [stop(pause)]),
    ...(options.clock === true ? [clockSteps(number('pause'))] : []),
    ...(cluster === undefined ? [] : clusterFaultsOf(cluster)),
  ];
}

function clusterFaultsOf({ postgres, links, nodes }: Cluster): Fault[] {
  const times = (count: number, make: () => readonly Fault[]): Fault[] =>
    Array.from({ length: count }, make).flat();
  return [
    ...times(number('losses'), () => [loss()]),
    ...times(number('freezes'), () => [freeze(number('freeze'))]),
    ...times(number('databaseCrashes'), () => [databaseCrash(postgres, nodes.length)]),
    ...times(number('cuts'), () => [
      trouble(links, 'cut', CUT_MS),
      trouble(links, 'silent', CUT_MS),
      trouble(links, 'slow', CUT_MS),
    ]),
    ...times(number('rolls'), () => [rollingRestart()]),
  ];
}

function text(faults: readonly Fault[], report: FaultReport): string {
  const kills = faults.reduce((sum, fault) => sum + fault.kills, 0);
  const { duplicates, receipts, problems } = report;
  const each = kills === 0 ? '' : `, ${(duplicates / kills).toFixed(1)} a kill`;
  return `
${report.faults} faults, seed ${options['seed']}, ${report.seconds.toFixed(0)} s
  events acknowledged   ${report.acknowledged}
  answers never heard   ${report.unknown}
  calls refused         ${report.refused}
  deliveries received   ${receipts}
  lost                  ${report.lost}
  duplicates            ${duplicates} (${((100 * duplicates) / receipts).toFixed(2)} %${each})
  slowest start         ${report.slowestStartMs.toFixed(0)} ms
  backlog gone after    ${report.drainMs.toFixed(0)} ms
${problems.length === 0 ? '  every oracle held' : problems.map((problem) => `  ✗ ${problem}`).join('\n')}
`;
}

async function go(cluster?: Cluster): Promise<boolean> {
  const deliveries = number('deliveries');
  const faults = deliveries > 0 ? [] : faultsOf(cluster);
  const report = await runFaults({
    seed: number('seed'),
    faults,
    ...(cluster === undefined ? {} : { nodes: cluster.nodes }),
    load: {
      calls: number('calls'),
      rate: number('rate'),
      eventsPerCall: number('batch'),
      maxEvents: deliveries > 0 ? Math.ceil(deliveries / number('registrations')) : Infinity,
    },
    recorder: { medianMs: number('median'), failing: 0.01 },
    registrations: number('registrations'),
    readyWithinMs: READY_WITHIN_MS,
    onProgress: (line) => process.stderr.write(`  ${line}\n`),
  });
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ seed: number('seed'), ...report })}\n`
      : text(faults, report),
  );
  return report.problems.length === 0;
}

const nodes = number('nodes');
const held = nodes > 0 ? await withCluster(nodes, go) : await go();
process.exitCode = held ? 0 : 1;
