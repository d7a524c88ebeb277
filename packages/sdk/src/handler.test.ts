import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import Fastify from 'fastify';
import { generateTypes, TARGET } from '../../../tools/generate-types.ts';
import { fastifyWebhook } from './fastify.ts';
import { createHandler } from './handler.ts';
import { toNodeHandler } from './node.ts';

const SECRET = '12345678901234567890123456789012';

type Case = {
  readonly name: string;
  readonly request?: {
    readonly method: string;
    readonly path: string;
    readonly headers: [string, string][];
    readonly body_base64?: string;
  };
  readonly response: { readonly status: number; readonly body: string };
};
const recorded = JSON.parse(
  readFileSync(new URL('./testdata/receiver.json', import.meta.url), 'utf8'),
) as readonly Case[];

/** Where this receiver answers otherwise than Microsoft's. */
const OTHERWISE: Readonly<Record<string, number>> = {
  'POST application/cloudevents+json': 200,
  'POST array': 200,
  'POST malformed JSON': 400,
  'POST null': 400,
  'POST Notifications is an object': 200,
};

function delivery(notifications: readonly object[], id = 'd1'): Request {
  const body = JSON.stringify({
    Id: id,
    Attempt: 2,
    Properties: { campus: 'north' },
    Notifications: notifications,
  });
  const headers = { 'content-type': 'application/json', 'ms-signature': msSignature(body) };
  return new Request('http://receiver/hook', { method: 'POST', headers, body });
}

function msSignature(body: string): string {
  return `sha256=${createHmac('sha256', SECRET).update(body).digest('hex').toUpperCase()}`;
}

test("answers as Microsoft's receiver does to every call that was recorded for its secret", async () => {
  const handler = createHandler({ secret: SECRET });
  const played = recorded.filter(({ request }) => /\/custom(\?|$)/i.test(request?.path ?? ''));
  for (const { name, request, response } of played) {
    if (request === undefined) continue;
    const body =
      request.body_base64 === undefined || request.method === 'GET' || request.method === 'HEAD'
        ? {}
        : { body: Buffer.from(request.body_base64, 'base64') };
    const answer = await handler(
      new Request(`http://receiver${request.path}`, {
        method: request.method,
        headers: request.headers,
        ...body,
      }),
    );
    assert.equal(answer.status, OTHERWISE[name] ?? response.status, name);
    if (request.method === 'GET' && response.status === 200)
      assert.equal(await answer.text(), response.body, name);
  }
  assert.ok(played.length >= 25, `${played.length} cases`);
});

test('calls the handler of each action in order, and the other one for the rest', async () => {
  const calls: string[] = [];
  const handler = createHandler({
    secret: SECRET,
    on: {
      CourseCompleted: ({ Course, Users }, { id, attempt, properties }) => {
        calls.push(
          `${Users[0]?.Title} completed ${Course.Title} ${id} ${attempt} ${String(properties['campus'])}`,
        );
      },
    },
    onOther: ({ Action }) => {
      calls.push(Action);
    },
  });
  const completed = {
    Action: 'CourseCompleted',
    Course: { Title: 'First Aid' },
    Users: [{ Title: 'Ana' }],
  };
  const answer = await handler(delivery([{ Action: 'toString' }, completed]));
  assert.equal(answer.status, 200);
  assert.deepEqual(calls, ['toString', 'Ana completed First Aid d1 2 north']);
});

test('a delivery that was seen before is answered and left alone', async () => {
  let calls = 0;
  const seen = new Set(['d1']);
  const onOther = (): void => {
    calls += 1;
  };
  const handler = createHandler({ secret: SECRET, onOther, seen: (id) => seen.has(id) });
  assert.equal((await handler(delivery([{ Action: 'X' }]))).status, 200);
  assert.equal((await handler(delivery([{ Action: 'X' }], 'd2'))).status, 200);
  assert.equal(calls, 1);
});

test('a body larger than allowed is refused before it is verified', async () => {
  const handler = createHandler({ secret: SECRET, maxBodyBytes: 10 });
  assert.equal((await handler(delivery([]))).status, 413);
});

async function over(server: Server, check: (url: string) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await check(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('serves behind node:http, where a failing handler answers 500', async () => {
  const errors: unknown[] = [];
  const handler = createHandler({
    secret: SECRET,
    onOther: () => {
      throw new Error('database away');
    },
  });
  const server = createServer(
    (request, response) =>
      void toNodeHandler(handler, (error) => errors.push(error))(request, response),
  );
  await over(server, async (url) => {
    assert.equal(await (await fetch(`${url}/hook?echo=token`)).text(), 'token');
    const { headers, body } = await sent(delivery([{ Action: 'X' }]));
    assert.equal((await fetch(`${url}/hook`, { method: 'POST', headers, body })).status, 500);
    assert.match(String(errors[0]), /database away/);
  });
});

test('serves as a Fastify plugin', async () => {
  const actions: string[] = [];
  const handler = createHandler({
    secret: SECRET,
    onOther: ({ Action }) => void actions.push(Action),
  });
  const app = Fastify();
  await app.register(fastifyWebhook('/hook', handler) as never);
  const { headers, body } = await sent(delivery([{ Action: 'X' }]));
  const answer = await app.inject({
    method: 'POST',
    url: '/hook',
    headers: Object.fromEntries(headers),
    payload: Buffer.from(body),
  });
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(actions, ['X']);
  assert.equal((await app.inject('/hook?echo=abc')).body, 'abc');
  await app.close();
});

async function sent(request: Request): Promise<{ headers: Headers; body: ArrayBuffer }> {
  return { headers: request.headers, body: await request.arrayBuffer() };
}

test('the generated types are those of the catalogue', () => {
  assert.equal(readFileSync(TARGET, 'utf8'), generateTypes());
});
