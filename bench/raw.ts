import { Client } from 'undici';
import { buildBody } from '../packages/server/src/core/envelope.ts';
import { deliveryHeaders } from '../packages/server/src/core/signature.ts';
import { notificationOf } from './payload.ts';

/**
 * The raw limit: a bare undici loop that builds, signs and posts a delivery over and over. Prints
 * its rate as JSON.
 */
const [port = '', secondsText = '5', connectionsText = '16'] = process.argv.slice(2);
const until = performance.now() + Number(secondsText) * 1000;
const from = performance.now();
let sent = 0;

function loop(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (): void => {
      if (performance.now() > until) return resolve();
      const id = 'f'.repeat(32);
      const body = buildBody({
        id,
        attempt: 1,
        properties: '{}',
        notifications: [notificationOf(sent)],
      });
      const headers = deliveryHeaders({
        secret: 's'.repeat(32),
        id,
        timestampSeconds: 1_790_000_000,
        body,
        headers: [],
      }).flat();
      client.dispatch(
        { method: 'POST', path: '/hook', headers, body },
        {
          onRequestStart: () => undefined,
          onResponseStart: () => undefined,
          onResponseData: () => undefined,
          onResponseEnd: () => {
            sent += 1;
            next();
          },
          onResponseError: (_controller, error) => reject(error),
        },
      );
    };
    next();
  });
}

const clients = Array.from(
  { length: Number(connectionsText) },
  () => new Client(`http://127.0.0.1:${port}`),
);
await Promise.all(clients.map(loop));
const seconds = (performance.now() - from) / 1000;
await Promise.all(clients.map((client) => client.close()));
process.stdout.write(JSON.stringify({ rate: sent / seconds }));
