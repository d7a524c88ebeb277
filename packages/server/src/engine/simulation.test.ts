import { mock, test } from 'node:test';
import { Simulation } from './testing/simulation.ts';

/** Of one run; ten runs of each kind make 10⁵ steps. */
const STEPS = 5000;
const RUNS = 10;

async function simulate(seed: number, mayCrash: boolean): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  try {
    await new Simulation(seed, mayCrash).run(STEPS);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`SIMULATION_SEED=${seed} repeats this: ${reason}`, { cause: error });
  } finally {
    mock.timers.reset();
  }
}

/** `SIMULATION_SEED` repeats a run that failed, alone. */
const given = process.env['SIMULATION_SEED'];
const first = given === undefined ? Date.now() % 1_000_000 : Number(given);
const seeds = Array.from({ length: given === undefined ? RUNS : 1 }, (_, n) => first + n);

test('whatever chance brings, everything accepted ends, once, in its order, and no limit is passed', async (t) => {
  t.diagnostic(`seeds from ${first}`);
  for (const seed of seeds) await simulate(seed, false);
});

test('the same holds when the process dies now and then, but for what was in flight', async (t) => {
  t.diagnostic(`seeds from ${first}`);
  for (const seed of seeds) await simulate(seed, true);
});
