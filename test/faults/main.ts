import { Command } from 'commander';
import { runKills } from './kills.ts';

const options = new Command('faults')
  .description('Ends a loaded server again and again and checks that nothing acknowledged is lost.')
  .option('--kills <number>', 'how often', '20')
  .option('--seed <number>', 'repeats the times of the kills', String(Date.now() % 1_000_000))
  .option('--publishers <number>', 'publish calls under way at once', '16')
  .option('--registrations <number>', 'registrations that get every event', '3')
  .option(
    '--signal <name>',
    'SIGKILL, or SIGTERM for graceful stops, which may repeat nothing',
    'SIGKILL',
  )
  .parse()
  .opts<{
    kills: string;
    seed: string;
    publishers: string;
    registrations: string;
    signal: 'SIGKILL' | 'SIGTERM';
  }>();

const report = await runKills({
  kills: Number(options.kills),
  seed: Number(options.seed),
  publishers: Number(options.publishers),
  registrations: Number(options.registrations),
  signal: options.signal,
  onProgress: (text) => process.stdout.write(`  ${text}\n`),
});
const { acknowledged, receipts, lost, duplicates, problems, seconds } = report;
process.stdout.write(`
${options.kills} × ${options.signal}, seed ${options.seed}, ${seconds.toFixed(0)} s
  events acknowledged   ${acknowledged}
  deliveries received   ${receipts}
  lost                  ${lost}
  duplicates            ${duplicates} (${(duplicates / Number(options.kills)).toFixed(1)} a stop)
${problems.length === 0 ? '  every oracle held' : problems.map((problem) => `  ✗ ${problem}`).join('\n')}
`);
process.exitCode = problems.length === 0 ? 0 : 1;
