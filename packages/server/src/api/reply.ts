import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers with JSON text that is ready to be sent. */
export function sendText(reply: FastifyReply, status: number, json: string): FastifyReply {
  return reply.code(status).header('content-type', JSON_TYPE).send(json);
}

export function sendJson(reply: FastifyReply, status: number, value: unknown): FastifyReply {
  return sendText(reply, status, JSON.stringify(value));
}

/** Answers with JSON text as it comes; where that fails midway the connection ends. */
export function sendStream(reply: FastifyReply, status: number, json: Readable): FastifyReply {
  return reply.code(status).header('content-type', JSON_TYPE).send(json);
}

/** No body and no Content-Type, as Microsoft answers. */
export function sendEmpty(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).removeHeader('content-type').send();
}
