import type pg from 'pg';
import type { Id } from '../../core/id.ts';
import type { RegistrationRef } from '../../core/registration.ts';
import type { Arrival } from '../port.ts';

export type Heard = {
  readonly nodes: () => void;
  readonly configuration: () => void;
  readonly wake: (refs: readonly RegistrationRef[]) => void;
  readonly arrived: (arrivals: readonly Arrival[], version: number) => void;
  readonly drop: (ref: RegistrationRef, id: Id) => void;
  /** Something may have been missed. */
  readonly look: () => void;
};

/** What nodes tell each other; PostgreSQL hands it over with the commit. */
export type Message =
  | 'nodes'
  | 'configuration'
  | 'look'
  | { readonly wake: readonly RegistrationRef[] }
  | { readonly arrivals: readonly Arrival[]; readonly version: number }
  | { readonly drop: readonly [RegistrationRef, Id] };

/** PostgreSQL takes less than 8,000 bytes. */
const MAX_MESSAGE_BYTES = 7500;

/** The first that is short enough for one message; where none is, the others look in the store. */
export function toPayload(...messages: readonly Message[]): string {
  for (const message of messages) {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    if (Buffer.byteLength(text) <= MAX_MESSAGE_BYTES) return text;
  }
  return 'look';
}

/** The one connection that listens, opened again when it broke. */
export class Listener {
  readonly #open: () => pg.Client;
  readonly #heard: Heard;
  #client: pg.Client | undefined;

  constructor(open: () => pg.Client, heard: Heard) {
    this.#open = open;
    this.#heard = heard;
  }

  get isListening(): boolean {
    return this.#client !== undefined;
  }

  /** Listens, if it does not; what was said meanwhile is looked for. */
  async ensure(): Promise<void> {
    if (this.#client !== undefined) return;
    const client = this.#open();
    const forget = (): void => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on('error', forget);
    client.on('end', forget);
    client.on('notification', ({ payload = '' }) => this.#hear(payload));
    try {
      await client.connect();
      await client.query('listen schoolbell');
      this.#client = client;
    } catch {
      await client.end().catch(() => undefined);
      return;
    }
    this.#heard.configuration();
    this.#heard.look();
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #hear(payload: string): void {
    if (payload === 'nodes' || payload === 'configuration' || payload === 'look') {
      return this.#heard[payload]();
    }
    const message = JSON.parse(payload) as Exclude<Message, string>;
    if ('wake' in message) this.#heard.wake(message.wake);
    else if ('arrivals' in message) this.#heard.arrived(message.arrivals, message.version);
    else if ('drop' in message) this.#heard.drop(...message.drop);
    // A newer version may say what this one does not know.
    else this.#heard.look();
  }
}
