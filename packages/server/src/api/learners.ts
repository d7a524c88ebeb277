import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import { MAX_SUBJECT_LENGTH } from '../core/subjects.ts';
import type { ErasureReceipt, KeptDelivery, KeptEvent } from '../service/library.ts';
import { PENDING_CHOICES, type PendingChoice } from '../store/port.ts';
import { attemptJson } from './attempt-json.ts';
import { originOf } from './audit.ts';
import { deliveryJson } from './deliveries.ts';
import { docs } from './docs/operations.ts';
import { eventJson } from './events.ts';
import { readQuery } from './query.ts';
import { sendJson, sendStream } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type KeyRequest = FastifyRequest<{ Params: { key: string } }>;

/** `/webhooks/subjects/{key}`: what is kept about one learner, to be read or erased. */
export function learnerRoutes(deps: RouteDeps): FastifyPluginCallback {
  const { learners } = deps.library;
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/subjects/:key',
      { config: { access: 'read' }, schema: docs.exportSubject },
      async (request: KeyRequest, reply) => {
        readQuery(request, []);
        const learner = learnerOf(request);
        const kept = await learners.kept(request.caller.tenant, learner, originOf(request));
        return sendStream(reply, 200, Readable.from(exportOf(learner, kept)));
      },
    );
    app.delete(
      '/webhooks/subjects/:key',
      { config: { access: 'write' }, schema: docs.eraseSubject },
      async (request: KeyRequest, reply) => {
        const pending = pendingOf(readQuery(request, ['pending']).get('pending'));
        const how = { pending, by: originOf(request) };
        const receipt = await learners.erase(request.caller.tenant, learnerOf(request), how);
        return sendJson(reply, 200, receiptJson(receipt));
      },
    );
    done();
  };
}

function learnerOf({ params: { key } }: KeyRequest): string {
  if (key.length > 0 && key.length <= MAX_SUBJECT_LENGTH) return key;
  throw new AppError('bad_request', `A learner's key is 1 to ${MAX_SUBJECT_LENGTH} characters.`);
}

function pendingOf(text = 'send'): PendingChoice {
  const choice = PENDING_CHOICES.find((known) => known === text.toLowerCase());
  if (choice !== undefined) return choice;
  throw new AppError('bad_request', `pending is ${PENDING_CHOICES.join(' or ')}.`);
}

/** Read as it is sent: what is kept of a learner may be more than fits into memory. */
async function* exportOf(
  learner: string,
  kept: AsyncIterable<KeptEvent>,
): AsyncGenerator<string, void> {
  yield `{"Subject":${JSON.stringify(learner)},"ExportedAt":"${new Date().toISOString()}","Events":[`;
  let comma = '';
  for await (const { event, own, deliveries } of kept) {
    const theirs = <T>(all: readonly T[]): T[] => all.filter((_each, index) => own.includes(index));
    const actions = theirs(event.actions);
    const text = eventJson({ ...event, actions, notifications: theirs(event.notifications) });
    yield `${comma}${text.slice(0, -1)},"Deliveries":[`;
    yield* listOf(deliveries);
    yield ']}';
    comma = ',';
  }
  yield ']}';
}

async function* listOf(deliveries: AsyncIterable<KeptDelivery>): AsyncGenerator<string, void> {
  let comma = '';
  for await (const { row, attempts } of deliveries) {
    yield `${comma}${JSON.stringify(deliveryJson(row)).slice(0, -1)},"History":[`;
    comma = '';
    for await (const attempt of attempts) {
      yield comma + JSON.stringify(attemptJson(attempt, undefined));
      comma = ',';
    }
    yield ']}';
    comma = ',';
  }
}

function receiptJson(receipt: ErasureReceipt): object {
  return {
    Id: receipt.id,
    Subject: receipt.subject,
    ErasedAt: new Date(receipt.erasedAt).toISOString(),
    Events: receipt.events,
    Notifications: receipt.notifications,
    Deliveries: receipt.deliveries,
    Attempts: receipt.attempts,
    Cancelled: receipt.cancelled,
    Waiting: receipt.waiting,
    BytesGone: receipt.bytesGone,
  };
}
