import { workerData } from 'node:worker_threads';
import { migrate } from './migrate.ts';
import { lockStore, openForWriting, scrub } from './open.ts';
import type { Methods } from './protocol.ts';
import { acceptWrites } from './write-accept.ts';
import { auditWrites } from './write-audit.ts';
import { deliveryWrites } from './write-deliveries.ts';
import { keyWrites } from './keys.ts';
import { installationWrites } from './write-installation.ts';
import { heldWrites } from './held.ts';
import { jobWrites } from './write-jobs.ts';
import { orderWrites } from './write-order.ts';
import { removals } from './write-removal.ts';
import { streakWrites } from './streaks.ts';
import { eraseWrites } from './write-erasing.ts';
import { Sequences } from './sequences.ts';
import { type ErasedInHand, settleWrites } from './write-settle.ts';
import { statisticsWrites } from './statistics.ts';
import { serveWrites } from './worker.ts';

/** The thread that writes: the only one, so that its order is the order of truth. */
const { path } = workerData as { path: string };
const lock = lockStore(path);
const database = openForWriting(path);
migrate(database);

const sequences = new Sequences(database);
const erased: ErasedInHand = new Set();
const methods: Methods = {
  ...acceptWrites(database, sequences),
  ...settleWrites(database, erased),
  ...deliveryWrites(database),
  ...orderWrites(database),
  ...jobWrites(database, sequences),
  ...heldWrites(database),
  ...installationWrites(database),
  ...removals(database, sequences),
  ...streakWrites(database),
  ...keyWrites(database),
  ...statisticsWrites(database),
  ...eraseWrites(database, (id) => erased.add(id)),
  ready: () => lock.isOpen,
};
const outside: Methods = { scrub: () => scrub(database) };
const onFailure = (): void => sequences.forget();
serveWrites(database, { ...methods, ...auditWrites(database, methods) }, { outside, onFailure });
