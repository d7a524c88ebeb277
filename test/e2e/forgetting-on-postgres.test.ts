import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { caller, TestServer, usePostgres } from './harness.ts';

// The same tests on the other store.
usePostgres();
await import('./forgetting.test.ts');

test('what the planner noted of a learner is gone from the files too', async () => {
  const server = new TestServer();
  await server.start();
  const call = caller(server, () => server.running.adminKey);
  const Users = [{ Id: 'zoe', Email: 'zoe.noted@school.example' }];
  for (let n = 0; n < 30; n += 1)
    await call('POST', '/webhooks/events', { Action: 'CourseCompleted', Users, n });
  await call('GET', '/webhooks/events?subject=zoe');
  const { databaseUrl } = await server.options();
  const client = new pg.Client({ connectionString: databaseUrl ?? '' });
  await client.connect();
  await client.query('analyze');
  await client.end();
  assert.ok((await server.bytes()).includes('zoe.noted'));
  const { json } = await call('DELETE', '/webhooks/subjects/zoe');
  assert.deepEqual([json.Events, json.BytesGone], [30, true]);
  assert.equal((await server.bytes()).includes('zoe.noted'), false);
  await server.end();
});

test('while somebody sees the database as it was before, nobody is told that the bytes are gone', async () => {
  const server = new TestServer();
  await server.start();
  const call = caller(server, () => server.running.adminKey);
  const Users = [{ Id: 'zoe', Email: 'zoe.seen@school.example' }];
  await call('POST', '/webhooks/events', { Action: 'CourseCompleted', Users });
  await call('GET', '/webhooks/events?subject=zoe');
  const { databaseUrl } = await server.options();
  const client = new pg.Client({ connectionString: databaseUrl ?? '' });
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select count(*) from tenants');
  const { json } = await call('DELETE', '/webhooks/subjects/zoe');
  assert.deepEqual([json.Events, json.BytesGone], [1, false]);
  await client.query('commit');
  await client.end();
  const { json: again } = await call('DELETE', '/webhooks/subjects/zoe');
  assert.deepEqual([again.Events, again.BytesGone], [0, true]);
  assert.equal((await server.bytes()).includes('zoe.seen'), false);
  await server.end();
});
