import { workerData } from 'node:worker_threads';
import { openForReading } from './open.ts';
import { auditReads } from './read-audit.ts';
import { feedReads } from './feed.ts';
import { keyReads } from './keys.ts';
import { heldReads } from './held.ts';
import { jobReads } from './read-jobs.ts';
import { learnerReads } from './write-erasing.ts';
import { logReads } from './read-log.ts';
import { unfinishedReads } from './read-unfinished.ts';
import { keysUsed } from './keys-used.ts';
import { statisticsReads } from './statistics.ts';
import { serveReads } from './worker.ts';

/** The thread that reads the log, so that a long look-up holds up no commit. */
const { path } = workerData as { path: string };
const database = openForReading(path);
/** Counting reads everything that waits once: it must not take the place of what people look up. */
const counting = openForReading(path, 1024);

serveReads([database, counting], {
  ...logReads(database),
  ...unfinishedReads(counting),
  ...keyReads(database),
  ...auditReads(database),
  ...jobReads(database),
  ...statisticsReads(database),
  ...learnerReads(database),
  earlier: keysUsed(database),
  ...heldReads(database),
  ...feedReads(database),
});
