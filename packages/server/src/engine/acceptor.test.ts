import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../core/errors.ts';
import { newId } from '../core/id.ts';
import { testRegistration } from '../core/testing/registration.ts';
import type { Acceptance, Earlier, Publication } from '../store/port.ts';
import { Acceptor, type AcceptRequest } from './acceptor.ts';
import { Waiting } from './waiting.ts';

const REGISTRATION = testRegistration({ id: newId(0) });

type Parts = {
  readonly accept: (batch: readonly Publication[]) => Promise<readonly Acceptance[]>;
  readonly earlier?: Earlier;
  readonly quota?: number;
};

/** An acceptor for which every event of every tenant matches one registration. */
function open({ accept, earlier, quota = Infinity }: Parts) {
  const store = {
    accept,
    queuesWrites: true,
    earlier: () => Promise.resolve(earlier),
    // Never answers: what is counted here is what the acceptor said.
    unfinished: () => new Promise<never>(() => undefined),
  };
  const waiting = new Waiting({ store, now: () => 0, maxPending: () => quota });
  const acceptor = new Acceptor({
    store,
    waiting,
    isAlone: () => true,
    now: () => 0,
    index: { match: () => [{ registration: REGISTRATION, picks: null }] },
    subjectsOf: () => [],
    tally: { published: () => undefined, matched: () => undefined },
    reserve: () => false,
    onCommitted: () => undefined,
    onHeld: () => undefined,
    onDropped: () => undefined,
    refresh: () => Promise.resolve(),
  });
  return { acceptor, waiting };
}

const takeAll = (batch: readonly Publication[]): Promise<readonly Acceptance[]> =>
  Promise.resolve(batch.map(() => ({ kind: 'accepted', numbers: [] })));

function call(rest: Partial<AcceptRequest> & { text?: string; isExempt?: boolean } = {}) {
  const { text = '{}', isExempt = false, idempotency = null } = rest;
  const notifications = [{ text, action: 'A' }];
  return { events: [{ tenants: ['a'], notifications, occurredAt: null, isExempt }], idempotency };
}

const KEY = { tenant: 'a', key: 'k', hash: 'h' };

test('a tenant at its quota is refused and nothing of the call is written; what no tenant publishes is taken', async () => {
  const written: Publication[] = [];
  const { acceptor, waiting } = open({
    quota: 2,
    accept: (batch) => {
      written.push(...batch);
      return takeAll(batch);
    },
  });
  const calls = [call(), call(), call(), call({ idempotency: KEY }), call({ isExempt: true })];
  const answers = await Promise.all(calls.map((each) => acceptor.accept(each)));
  const kinds = answers.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['accepted', 'accepted', 'over quota', 'over quota', 'accepted']);
  assert.deepEqual(answers[2], { kind: 'over quota', tenant: 'a', waiting: 2, quota: 2 });
  assert.equal(written.length, 3);
  assert.deepEqual(waiting.total(), { pending: 3, held: 0 });
  waiting.moved('a', 'pending', 'delivered', 2);
  assert.equal((await acceptor.accept(call())).kind, 'accepted');
});

test('over its quota too a call that was accepted before is answered as then', async () => {
  const refuse = () => Promise.reject(new Error('the store is not asked to write'));
  const answered = (earlier: Earlier) => {
    const { acceptor, waiting } = open({ quota: 1, accept: refuse, earlier });
    waiting.moved('a', null, 'held');
    return acceptor.accept(call({ idempotency: KEY }));
  };
  assert.deepEqual(await answered({ kind: 'repeated', answer: 'one\ntwo' }), {
    kind: 'accepted',
    receipts: ['one', 'two'],
    isRepeated: true,
  });
  assert.deepEqual(await answered({ kind: 'conflict' }), { kind: 'conflict' });
});

test('what was not written does not count', async () => {
  const outcomes: (readonly Acceptance[])[] = [
    [{ kind: 'repeated', answer: 'r' }],
    [{ kind: 'conflict' }],
    [{ kind: 'stale' }],
    [{ kind: 'accepted', numbers: [] }],
  ];
  const { acceptor, waiting } = open({
    accept: () => {
      const next = outcomes.shift();
      return next === undefined ? Promise.reject(new Error('disk full')) : Promise.resolve(next);
    },
  });
  await acceptor.accept(call({ idempotency: KEY }));
  await acceptor.accept(call({ idempotency: KEY }));
  assert.deepEqual(waiting.total(), { pending: 0, held: 0 });
  await acceptor.accept(call());
  assert.deepEqual(waiting.total(), { pending: 1, held: 0 });
  await assert.rejects(acceptor.accept(call()), /disk full/);
  assert.deepEqual(waiting.total(), { pending: 1, held: 0 });
});

test('publishers are told to come back when 64 MiB of text wait for the disk, until it is written', async () => {
  const disk = Promise.withResolvers<void>();
  const { acceptor } = open({
    accept: async (batch) => {
      await disk.promise;
      return batch.map(() => ({ kind: 'accepted', numbers: [] }));
    },
  });
  const text = 'x'.repeat(1024 * 1024);
  const accepted = Array.from({ length: 64 }, () => acceptor.accept(call({ text })));
  const refused = (error: unknown): boolean =>
    error instanceof AppError && error.status === 503 && error.detail.retryAfterSeconds === 1;
  await assert.rejects(acceptor.accept(call({ text: 'x' })), refused);
  await new Promise((resolve) => setImmediate(resolve));
  // Being written, it is in memory still.
  await assert.rejects(acceptor.accept(call({ text })), refused);
  disk.resolve();
  const answers = await Promise.all(accepted);
  assert.ok(answers.every(({ kind }) => kind === 'accepted'));
  const next = await acceptor.accept(call({ text: text.repeat(65) }));
  assert.equal(next.kind, 'accepted');
});
