import { extname } from 'node:path';
import type { Config } from '../config/config.ts';
import { dueClock, systemClock } from '../core/clock.ts';
import type { Egress } from '../egress/port.ts';
import { directSender } from '../sending/direct.ts';
import type { Sender } from '../sending/port.ts';
import type { Listener } from '../sending/protocol.ts';
import { SendingThreads } from '../sending/threads.ts';
import type { Telemetry } from '../telemetry/events.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { outboundConfig } from './outbound.ts';

/** Beside this module, as source or built. */
const THREAD = new URL(`./sending-thread${extname(import.meta.url)}`, import.meta.url);

export type OpenSender = {
  readonly sender: Sender;
  /** To be called with what the API listens on, once it does. */
  readonly setListeners: (listeners: readonly Listener[]) => void;
};

type Means = {
  readonly egress: Egress;
  readonly telemetry: Pick<Telemetry, 'blocked'>;
  readonly tracing: Tracing | undefined;
};

/** What sends deliveries: threads, or this one through `egress`. */
export function openSender(config: Config, means: Means): OpenSender {
  const { sender, setListeners } = openPlain(config, means);
  const { tracing } = means;
  return { sender: tracing === undefined ? sender : tracedSender(sender, tracing), setListeners };
}

function openPlain(config: Config, { egress, telemetry }: Means): OpenSender {
  const { sendingThreads: count } = config;
  if (count === 0) {
    const sender = directSender({ egress, clock: dueClock, signingClock: systemClock });
    return { sender, setListeners: () => undefined };
  }
  const data = outboundConfig(config);
  const onBlocked = telemetry.blocked;
  const threads = new SendingThreads({ count, entry: THREAD, data, onBlocked });
  return { sender: threads, setListeners: (listeners) => threads.setListeners(listeners) };
}

/** Notes each attempt in its event's trace. */
function tracedSender(sender: Sender, tracing: Tracing): Sender {
  return {
    start: () => sender.start(),
    send: (registration, delivery) =>
      tracing.attempt(delivery, (trace) => sender.send(registration, { ...delivery, trace })),
    forget: (key) => sender.forget(key),
    close: () => sender.close(),
  };
}
