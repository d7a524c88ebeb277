import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { caller, TestReceiver, TestServer, until } from './harness.ts';

const [server, receiver] = [new TestServer(), new TestReceiver()];
after(() => server.end());

test('a registration whose address the server itself listens on by now gets nothing', async () => {
  await server.start();
  const call = caller(server, () => server.running.adminKey);
  const place = await receiver.listen();
  const WebHookUri = `${place}/webhooks/events`;
  assert.equal((await call('POST', '/webhooks/registrations', { WebHookUri })).status, 201);
  await receiver.close();
  await server.stop();
  await server.start({ port: Number(new URL(place).port) });
  assert.equal((await call('POST', '/webhooks/events', { Action: 'CourseCompleted' })).status, 202);
  const { json } = await until(
    () => call('GET', '/webhooks/deliveries'),
    ({ json: { Items } }) => Items[0]?.Attempts > 0,
  );
  assert.equal(json.Items[0].Outcome, 'policy_blocked');
  assert.equal((await call('GET', '/webhooks/events')).json.Items.length, 1);
});
