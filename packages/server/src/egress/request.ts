import { HEADER_NAME } from '../core/header-rules.ts';
import { Failure } from './failure.ts';
import type { OutboundRequest } from './port.ts';
import type { Target } from './uri.ts';

const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TARGET = /^\/[\x21-\x7e]*$/;

/**
 * The bytes of a request, head and body in one. Throws Failure for what would change where a head
 * ends, whoever let it come this far.
 */
export function requestBytes(request: OutboundRequest, { path, host }: Target): Buffer {
  if (!TARGET.test(path) || !VALUE.test(host)) throw unsendable();
  let head = `${request.method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (const [name, value] of request.headers) {
    if (!HEADER_NAME.test(name) || !VALUE.test(value)) throw unsendable();
    head += `${name}: ${value}\r\n`;
  }
  const { body } = request;
  if (body === null) return Buffer.from(`${head}\r\n`, 'latin1');
  head += `content-length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 'latin1');
  bytes.set(body, head.length);
  return bytes;
}

function unsendable(): Failure {
  return new Failure({ kind: 'blocked', rule: 'headers' });
}
