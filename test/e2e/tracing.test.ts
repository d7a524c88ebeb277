import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { context, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { caller, TestReceiver, TestServer, until } from './harness.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const receiver = new TestReceiver();
let at = '';
before(async () => {
  at = await receiver.listen();
});
after(() => receiver.close());

/** A server with one registration, and what that receives. */
async function start(path: string) {
  const server = new TestServer();
  await server.start();
  const call = caller(server, () => server.running.adminKey);
  await call('POST', '/webhooks/registrations', { WebHookUri: at + path });
  return { server, call };
}

test('the publisher’s trace is passed on where nobody keeps traces, also by what waited', async () => {
  const { server, call } = await start('/plain');
  await call('POST', '/webhooks/events', { Action: 'A' }, { traceparent: PARENT });
  const [traced] = await receiver.expect('/plain', 1);
  assert.equal(traced?.headers['traceparent'], PARENT);
  await call('POST', '/webhooks/events', { Action: 'A' }, { traceparent: 'mine' });
  const [, untraced] = await receiver.expect('/plain', 2);
  assert.equal(untraced?.headers['traceparent'], undefined);
  let answers = 0;
  receiver.answer = (response) => response.writeHead((answers += 1) === 1 ? 503 : 200).end();
  await call('POST', '/webhooks/events', { Action: 'A' }, { traceparent: PARENT });
  const [, , , retried] = await receiver.expect('/plain', 4);
  assert.equal(retried?.headers['traceparent'], PARENT, 'a retry comes from the store');
  await server.end();
});

test('a tracestate goes with its traceparent, to retries and after a restart too, and a broken one does not', async () => {
  const { server, call } = await start('/state');
  let answers = 0;
  receiver.answer = (response) => response.writeHead((answers += 1) === 1 ? 503 : 200).end();
  const tracestate = 'congo=t61rcWkgMzE,rojo=00f067';
  await call('POST', '/webhooks/events', { Action: 'A' }, { traceparent: PARENT, tracestate });
  const received = (await receiver.expect('/state', 2)).slice();
  await until(
    () => call('GET', '/webhooks/deliveries?state=delivered'),
    ({ json }) => json.Items.length === 1,
  );
  await server.stop();
  await server.start();
  const { json } = await call('GET', '/webhooks/deliveries');
  await call('POST', `/webhooks/deliveries/${json.Items[0].Id}/retry`);
  const [, , again] = await receiver.expect('/state', 3);
  for (const each of [...received, again]) {
    assert.equal(each?.headers['traceparent'], PARENT);
    assert.equal(each?.headers['tracestate'], tracestate);
  }
  for (const [headers, parent] of [
    [{ traceparent: PARENT, tracestate: 'a=1,a=2' }, PARENT],
    [{ tracestate }, undefined],
    [{ traceparent: 'mine', tracestate }, undefined],
  ] as const) {
    const count = receiver.received.filter(({ path }) => path === '/state').length;
    await call('POST', '/webhooks/events', { Action: 'A' }, headers);
    const last = (await receiver.expect('/state', count + 1))[count];
    assert.equal(last?.headers['traceparent'], parent);
    assert.equal(last?.headers['tracestate'], undefined);
  }
  await server.end();
});

test('with an SDK each attempt is a span within that of the call, within the publisher’s', async () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  trace.setGlobalTracerProvider(provider);
  const { server, call } = await start('/spans');
  let answers = 0;
  receiver.answer = (response) => response.writeHead((answers += 1) === 1 ? 503 : 200).end();
  await call(
    'POST',
    '/webhooks/events',
    { Action: 'A' },
    { traceparent: PARENT, tracestate: 'rojo=1' },
  );
  const received = await receiver.expect('/spans', 2);
  const spans = await until(
    () => Promise.resolve(exporter.getFinishedSpans()),
    (found) => found.length === 3,
  );
  const [publish, ...attempts] = spans.toSorted((a, b) => a.name.localeCompare(b.name) * -1);
  assert.deepEqual(
    [publish?.name, publish?.spanContext().traceId, publish?.parentSpanContext?.spanId],
    ['schoolbell publish', TRACE, '00f067aa0ba902b7'],
  );
  const told = (span: ReadableSpan) => [
    span.name,
    span.parentSpanContext?.spanId,
    span.attributes['schoolbell.attempt'],
    span.attributes['http.response.status_code'],
    span.attributes['error.type'],
  ];
  const parent = publish?.spanContext().spanId;
  assert.deepEqual(attempts.map(told), [
    ['schoolbell attempt', parent, 1, 503, 'http_5xx'],
    ['schoolbell attempt', parent, 2, 200, undefined],
  ]);
  assert.deepEqual(
    received.map(({ headers }) => headers['traceparent']),
    attempts.map((span) => `00-${TRACE}-${span.spanContext().spanId}-01`),
  );
  for (const { headers } of received) assert.equal(headers['tracestate'], 'rojo=1');
  await server.end();
  await provider.shutdown();
  trace.disable();
  context.disable();
});
