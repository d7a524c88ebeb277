import { workerData } from 'node:worker_threads';
import { checkpoint, openForCheckpoints } from './open.ts';
import { serveReads } from './worker.ts';

/** How often the log of writes is looked at. */
const LOOK_MS = 50;

/** The thread that brings what was committed from the log into the file, so that no commit has to. */
const { path } = workerData as { path: string };
const database = openForCheckpoints(path);
setInterval(() => {
  if (database.isOpen) checkpoint(database);
}, LOOK_MS).unref();
serveReads([database], {});
