import { parentPort, workerData } from 'node:worker_threads';
import { dueClock, systemClock } from '../core/clock.ts';
import type { Listener, News } from '../sending/protocol.ts';
import { runSendingThread } from '../sending/thread.ts';
import { openEgress, type OutboundConfig } from './outbound.ts';
import { isOwnListener } from './own-listener.ts';

/** The module that a sending thread runs. */
const port = parentPort;
if (port === null) throw new Error('this module runs in a worker thread');

let listeners: readonly Listener[] = [];
const egress = openEgress(workerData as OutboundConfig, {
  isOwn: (address, ownPort) => isOwnListener(listeners, { address, port: ownPort }),
  onBlocked: (blocked) => port.postMessage({ kind: 'blocked', blocked } satisfies News),
});
const onListeners = (told: readonly Listener[]): void => {
  listeners = told;
};
runSendingThread(port, { egress, clock: dueClock, signingClock: systemClock, onListeners });
