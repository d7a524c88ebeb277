import { Command, InvalidArgumentError, Option } from 'commander';
import { CASES, type StoreName } from './cases.ts';
import { measure } from './measure.ts';
import { measureRaw } from './processes.ts';
import { type RatedRun, reportOf, table } from './report.ts';

const NAMES = CASES.map(({ name }) => name).join(',');

const options = new Command('bench')
  .description('Measures Schoolbell end to end beside the raw limit of the same run.')
  .option('--case <names>', 'which cases, separated by commas', namesOf, NAMES)
  .option('--seconds <number>', 'how long each case publishes', positive, 4)
  .option('--rounds <number>', 'how often all of it is measured; medians are shown', positive, 3)
  .addOption(
    new Option('--store <name>', 'where events and deliveries are kept')
      .choices(['sqlite', 'postgres'])
      .default('sqlite'),
  )
  .option('--nodes <number>', 'how many servers share a PostgreSQL', positive, 1)
  .option('--json', 'print JSON alone')
  .option('--cpu-prof <folder>', 'write CPU profiles of the server there, one a thread')
  .parse()
  .opts<{
    case: string;
    seconds: number;
    rounds: number;
    store: StoreName;
    nodes: number;
    json?: true;
    cpuProf?: string;
  }>();

/** For each server: several share the processors, and each has to come so far. */
const WARM_UP_SECONDS = 8;
const RAW_SECONDS = 1.5;

/** The machine may have others at work, so the raw limit is measured before and after each case. */
async function rounds(): Promise<Map<string, RatedRun[]>> {
  const wanted = options.case.split(',');
  const cases = CASES.filter(({ name }) => wanted.includes(name));
  const runs = new Map<string, RatedRun[]>(cases.map(({ name }) => [name, []]));
  let rawBefore = await raw();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const each of cases) {
      const run = await measure(each, {
        warmUpSeconds: WARM_UP_SECONDS * options.nodes,
        seconds: options.seconds,
        ...(options.store === 'postgres' ? { postgresNodes: options.nodes } : {}),
        nodeFlags:
          options.cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.cpuProf}`],
      });
      const rawAfter = await raw();
      runs.get(each.name)?.push({ ...run, rawBefore, rawAfter });
      rawBefore = rawAfter;
    }
  }
  return runs;
}

function raw(): ReturnType<typeof measureRaw> {
  return measureRaw({ warmUpSeconds: 0.75, seconds: RAW_SECONDS });
}

function namesOf(text: string): string {
  const unknown = text.split(',').find((name) => !NAMES.split(',').includes(name));
  if (unknown === undefined) return text;
  throw new InvalidArgumentError(`There is no case '${unknown}'; there are ${NAMES}.`);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It takes a number above 0.');
}

const report = reportOf(await rounds(), options);
process.stdout.write(
  options.json === true ? `${JSON.stringify(report, null, 2)}\n` : `${table(report)}\n`,
);
