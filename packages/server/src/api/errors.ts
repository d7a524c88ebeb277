import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { RouteDeps } from './route-deps.ts';
import { sendEmpty, sendJson } from './reply.ts';

/** What is said about a bug: nothing but that there is one. */
const INTERNAL_ERROR = 'An error has occurred.';
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;
const MAX_DISCARDING_MS = 2000;

/** Writes refusals in Microsoft's shape: `Message`, and `ModelState` where members are at fault. */
export function createErrorHandler(
  onError: RouteDeps['onError'],
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (error, request, reply) => {
    if (error instanceof AppError) return sendAppError(reply, error);
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return sendTooLarge(error, request, reply);
    const status = error.statusCode ?? 500;
    if (status >= 400 && status < 500)
      return sendJson(reply, status, { Message: sentenceOf(error) });
    onError(error, request);
    return sendJson(reply, 500, { Message: INTERNAL_ERROR });
  };
}

/**
 * A caller that is cut off while it still sends never sees why: a body that ends soon
 * is read to its end, and thrown away, before it is refused.
 */
function sendTooLarge(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const body = request.raw;
  let left = MAX_DISCARDED_BYTES;
  const answer = (): void => {
    clearTimeout(timer);
    body.off('data', count).off('end', answer).off('close', answer);
    if (!reply.sent) sendJson(reply, 413, { Message: sentenceOf(error) });
  };
  const count = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) answer();
  };
  const timer = setTimeout(answer, MAX_DISCARDING_MS);
  if (body.readableEnded || Number(request.headers['content-length']) > MAX_DISCARDED_BYTES)
    answer();
  else body.on('data', count).once('end', answer).once('close', answer).resume();
  return reply;
}

function sendAppError(reply: FastifyReply, { status, message, detail }: AppError): FastifyReply {
  if (detail.retryAfterSeconds !== undefined) reply.header('retry-after', detail.retryAfterSeconds);
  if (detail.emptyBody === true) return sendEmpty(reply, status);
  const modelState = detail.modelState === undefined ? {} : { ModelState: detail.modelState };
  return sendJson(reply, status, { Message: message, ...modelState });
}

function sentenceOf(error: FastifyError): string {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return 'The body is larger than 1 MiB.';
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return 'The body does not have the length that Content-Length says.';
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'The Content-Type header is not a media type; send application/json.';
    case 'FST_ERR_BAD_URL':
      return 'The path holds a percent sign that begins no escape.';
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return 'The path is too long.';
    default:
      return 'The request cannot be read.';
  }
}
