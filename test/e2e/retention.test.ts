import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { caller, TestServer } from './harness.ts';

const server = new TestServer();
const admin = caller(server, () => server.running.adminKey);

before(() => server.start());
after(() => server.end());

test('a tenant and a filter are told how long their events are kept, and a restart knows it', async () => {
  const made = await admin('POST', '/admin/tenants', { Id: 'short', Retention: '48h' });
  assert.deepEqual([made.status, made.json.Retention], [201, '2d']);
  const filter = await admin('PUT', '/admin/filters/CourseCompleted', { Retention: '36h' });
  assert.deepEqual([filter.status, filter.json.Retention], [200, '36h']);
  await server.stop();
  await server.start();
  assert.equal((await admin('GET', '/admin/tenants/short')).json.Retention, '2d');
  assert.equal((await admin('GET', '/admin/filters/CourseCompleted')).json.Retention, '36h');
  const renamed = await admin('PUT', '/admin/tenants/short', { Name: 'Short' });
  assert.equal(renamed.json.Retention, '2d', 'what is left out stays');
  const cleared = await admin('PUT', '/admin/tenants/short', { Retention: null });
  assert.deepEqual([cleared.json.Name, cleared.json.Retention], ['Short', null]);
  const { json } = await admin('GET', '/admin/audit?tenant=short');
  assert.deepEqual([json.Items[0].Before.Retention, json.Items[0].After.Retention], ['2d', null]);
});

test('what is no duration, or none that can be kept to, is refused with a sentence', async () => {
  for (const Retention of ['7', '1s', '4000d', 'P7D', '']) {
    for (const [method, path] of [
      ['PUT', '/admin/tenants/default'],
      ['PUT', '/admin/filters/CourseCompleted'],
    ] as const) {
      const { status, json } = await admin(method, path, { Retention });
      assert.equal(status, 400, Retention);
      assert.equal(json.Message, 'Retention is a duration from 1m to 3650d, such as 7d.');
    }
  }
});

test('what is to be kept longer than the installation keeps anything is refused, and the same is not', async () => {
  const message =
    /^Retention can be shorter than that of the installation, 30d, and not longer: ask its operator/;
  for (const [method, path, body] of [
    ['POST', '/admin/tenants', { Id: 'long', Retention: '31d' }],
    ['PUT', '/admin/tenants/default', { Retention: '721h' }],
    ['PUT', '/admin/filters/CourseCompleted', { Retention: '3650d' }],
    ['PUT', '/admin/filters/Own', { Description: 'Own', Retention: '31d' }],
  ] as const) {
    const { status, json } = await admin(method, path, body);
    assert.deepEqual([status, message.test(json.Message)], [400, true], path);
  }
  assert.equal((await admin('GET', '/admin/tenants/long')).status, 404);
  assert.equal((await admin('GET', '/admin/filters/Own')).status, 404);
  const same = await admin('PUT', '/admin/tenants/default', { Retention: '30d' });
  assert.deepEqual([same.status, same.json.Retention], [200, '30d']);
});
