import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Socket } from 'node:net';
import {
  answers,
  type Behaviour,
  onRequest,
  plain,
} from '../../packages/server/src/egress/testing/raw-server.ts';

/** One thing a receiver may do, and how the attempt must end. */
export type Row = {
  readonly id: string;
  readonly behaviour: string;
  readonly serve: Behaviour;
  /** As `brief` says it; several where the outcome depends on which packet comes first. */
  readonly ends: readonly string[];
  /** The size of the request's body, where it matters. */
  readonly bodyBytes?: number;
  /** True when nothing but the deadline ends a body. */
  readonly isEndless?: boolean;
};

const OK = plain(200, 'ok');
const LARGE = 4 * 1024 * 1024;
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

function row(
  id: string,
  behaviour: string,
  serve: Behaviour,
  ends: string | readonly string[],
): Row {
  return { id, behaviour, serve, ends: typeof ends === 'string' ? [ends] : ends };
}

function endless(each: Row): Row {
  return { ...each, isEndless: true };
}

/** Writes as fast as the other side reads, until it goes. */
export function flood(socket: Socket, bytes: string | Buffer): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(bytes)) continue;
  };
  socket.on('drain', write);
  write();
}

/** Writes again and again, at a pace that no limit between two bytes notices. */
function drip(socket: Socket, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), 50);
  socket.on('close', () => clearInterval(timer));
}

const flooding = (head: string, bytes: string | Buffer): Behaviour =>
  answers(head, (socket) => flood(socket, bytes));
const dripping = (head: string, bytes: string): Behaviour =>
  answers(head, (socket) => drip(socket, bytes));
const raw = (head: string): Behaviour => answers(head, (socket) => socket.end());
/** For what must be refused by what was said, not by the end of the connection. */
const rawOpen = (head: string): Behaviour => answers(head);
const status = (line: string): string => `HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`;

const CONNECTION: readonly Row[] = [
  row('R003', 'resets on accept', (socket) => socket.resetAndDestroy(), 'connect_reset'),
  row('R005', 'accepts and never reads or answers', (socket) => socket.pause(), 'timeout'),
  {
    ...row('R006', 'never reads while a big body is sent', (socket) => socket.pause(), 'timeout'),
    bodyBytes: LARGE,
  },
  row(
    'R007',
    'answers before it reads the request',
    (socket) => {
      socket.write(OK);
      socket.resume();
    },
    '200',
  ),
];

const SLOW: readonly Row[] = [
  row('R030', 'reads the request and never answers', (socket) => socket.resume(), 'timeout'),
  row('R031', 'sends a part of the status line', rawOpen('HTTP/1.1 2'), 'timeout'),
  row('R033', 'drips header bytes', dripping('HTTP/1.1 200 OK\r\nX: ', 'a'), 'timeout'),
  endless(
    row(
      'R034',
      'drips a counted body',
      dripping('HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n', 'a'),
      '200 truncated',
    ),
  ),
  endless(row('R034c', 'drips a chunked body', dripping(CHUNKED, '1\r\na\r\n'), '200 truncated')),
  endless(
    row(
      'R035',
      'drips a body without end',
      dripping('HTTP/1.1 200 OK\r\n\r\n', 'a'),
      '200 truncated',
    ),
  ),
  row(
    'R037',
    'answers 200 after the deadline',
    (socket) =>
      onRequest(socket, () => {
        const late = setTimeout(() => socket.write(OK), 2000);
        socket.on('close', () => clearTimeout(late));
      }),
    'timeout',
  ),
  row('R039', 'sends 102 for ever', dripping('', 'HTTP/1.1 102 Processing\r\n\r\n'), [
    'timeout',
    'protocol_error',
  ]),
];

const INTERIM: readonly Row[] = [
  row(
    'R040',
    'sends 100 that nobody asked for, then 200',
    answers(`HTTP/1.1 100 Continue\r\n\r\n${OK}`),
    '200',
  ),
  row(
    'R041',
    'sends 103, then 200',
    answers(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`),
    '200',
  ),
  row('R042', 'sends 100 and nothing more', rawOpen('HTTP/1.1 100 Continue\r\n\r\n'), 'timeout'),
  row(
    'R043',
    'floods with 103',
    flooding('', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)),
    'protocol_error',
  ),
  row(
    'R043c',
    'floods with 100',
    flooding('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
    'protocol_error',
  ),
  row(
    'R044',
    'switches protocols unasked',
    rawOpen('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    ['connect_reset', 'protocol_error'],
  ),
];

const BODIES: readonly Row[] = [
  row(
    'R045',
    'endless chunked body',
    flooding(CHUNKED, `10000\r\n${'a'.repeat(65_536)}\r\n`),
    '200 truncated',
  ),
  row(
    'R046',
    'endless body after 500',
    flooding(CHUNKED.replace('200', '500'), `10000\r\n${'a'.repeat(65_536)}\r\n`),
    '500 truncated',
  ),
  row(
    'R047',
    'endless chunk extension',
    flooding(`${CHUNKED}5;`, 'a'.repeat(4096)),
    '200 truncated',
  ),
  row(
    'R048',
    'endless trailers',
    flooding(`${CHUNKED}0\r\n`, `X-T: ${'a'.repeat(1000)}\r\n`),
    '200 truncated',
  ),
  row('R049', 'chunk size zz', rawOpen(`${CHUNKED}zz\r\nhello\r\n`), '200 truncated'),
  row(
    'R050',
    'huge chunk size',
    rawOpen(`${CHUNKED}FFFFFFFFFFFFFFFFF\r\nhello\r\n`),
    '200 truncated',
  ),
  row(
    'R051',
    'counts 100 bytes, sends 5, ends',
    raw('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello'),
    '200 truncated',
  ),
  row(
    'R052',
    'chunked body cut by a reset',
    answers(`${CHUNKED}5\r\nhello\r\n`, (socket) => setTimeout(() => socket.resetAndDestroy(), 50)),
    '200 truncated',
  ),
  row(
    'R053',
    'counts 2 bytes, sends more',
    rawOpen('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokAND MORE'),
    '200',
  ),
  row(
    'R054',
    'negative Content-Length',
    rawOpen('HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello'),
    'protocol_error',
  ),
  row(
    'R055',
    'Content-Length that is no number',
    rawOpen('HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nhello'),
    'protocol_error',
  ),
  endless(
    row(
      'R057',
      'counts a terabyte, sends one byte',
      rawOpen('HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\na'),
      '200 truncated',
    ),
  ),
  row(
    'R058',
    'two lengths that differ',
    rawOpen('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'),
    'protocol_error',
  ),
  row(
    'R059',
    'both a length and chunks',
    rawOpen(
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ),
    'protocol_error',
  ),
  row('R060', 'body until the end of the connection', raw('HTTP/1.1 200 OK\r\n\r\nhello'), '200'),
  row('R061', 'gzip bomb', answers(gzipped(gzipSync(Buffer.alloc(50_000_000)), 'gzip')), [
    '200',
    '200 truncated',
  ]),
  row(
    'R062',
    'gzip in gzip in gzip',
    answers(gzipped(gzipSync(gzipSync('a')), 'gzip, gzip, gzip, gzip')),
    '200',
  ),
  row(
    'R063',
    'says gzip, sends plain text',
    answers(plain(200, 'plain', 'Content-Encoding: gzip\r\n')),
    '200',
  ),
  {
    ...row('R065', '200 in the middle of a big request, then a reset', early(OK), '200'),
    bodyBytes: LARGE,
  },
  {
    ...row(
      'R066',
      '413 in the middle of a big request, then a reset',
      early(plain(413, 'too large')),
      '413',
    ),
    bodyBytes: LARGE,
  },
];

/** Answers at the first bytes of the request, reads on for a moment, and resets. */
function early(answer: string): Behaviour {
  return (socket) =>
    socket.once('data', () => {
      socket.write(answer);
      setTimeout(() => socket.resetAndDestroy(), 100);
    });
}

function gzipped(body: Buffer, encoding: string): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

const BROKEN: readonly Row[] = [
  row('R067', 'status 000', rawOpen(status('000 Zero')), 'protocol_error'),
  row('R068', 'status 099', rawOpen(status('099 Low')), 'protocol_error'),
  row('R069', 'status 600', rawOpen(status('600 Strange')), '600'),
  row('R070', 'status 999', rawOpen(status('999 Denied')), '999'),
  row('R071', 'status 20', rawOpen(status('20 Short')), 'protocol_error'),
  row('R072', 'status 2000', rawOpen(status('2000 Long')), 'protocol_error'),
  row('R073', 'HTTP/0.9', raw('<html>hello</html>'), 'protocol_error'),
  row('R074', 'HTTP/1.0', raw('HTTP/1.0 200 OK\r\n\r\nok'), '200'),
  row(
    'R075',
    'HTTP/3.7',
    rawOpen('HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n'),
    'protocol_error',
  ),
  row('R076', 'HTTP/2 preface', rawOpen('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'protocol_error'),
  row('R077', 'SSH banner', rawOpen('SSH-2.0-OpenSSH_9.2p1\r\n'), 'protocol_error'),
  row(
    'R078',
    'TLS alert on a plain port',
    answers(Buffer.from('15030300020228', 'hex')),
    'protocol_error',
  ),
  row(
    'R079',
    'random bytes',
    answers(Buffer.concat([Buffer.from([0xff]), randomBytes(2000)])),
    'protocol_error',
  ),
  row(
    'R081',
    'folded header',
    rawOpen('HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n'),
    ['protocol_error'],
  ),
  row(
    'R082',
    'NUL in a header',
    rawOpen('HTTP/1.1 200 OK\r\nX-A: a\u0000b\r\nContent-Length: 0\r\n\r\n'),
    'protocol_error',
  ),
  row(
    'R083',
    'header without a colon',
    rawOpen('HTTP/1.1 200 OK\r\nnocolon\r\nContent-Length: 0\r\n\r\n'),
    'protocol_error',
  ),
  row(
    'R084',
    'space before the colon',
    rawOpen('HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'),
    'protocol_error',
  ),
  row(
    'R085',
    'a header of 1 MB',
    rawOpen(`HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(1_000_000)}\r\n\r\n`),
    'headers_too_large',
  ),
  row(
    'R086',
    '10,000 headers',
    rawOpen(`HTTP/1.1 200 OK\r\n${'X-A: 1\r\n'.repeat(10_000)}\r\n`),
    'headers_too_large',
  ),
  row(
    'R087',
    'endless headers',
    flooding('HTTP/1.1 200 OK\r\n', 'X-A: 1\r\n'.repeat(100)),
    'headers_too_large',
  ),
  row('R088', 'ends without an answer', raw(''), 'connect_reset'),
  row(
    'R089',
    'resets after the request',
    (socket) => onRequest(socket, () => socket.resetAndDestroy()),
    'connect_reset',
  ),
  row(
    'R089h',
    'resets in the middle of the head',
    answers('HTTP/1.1 200 OK\r\nX-A', (socket) => setTimeout(() => socket.resetAndDestroy(), 50)),
    ['connect_reset', 'protocol_error'],
  ),
];

const KEEP_ALIVE: readonly Row[] = [
  row('R090', 'two answers to one request', rawOpen(OK + plain(500, 'second')), '200'),
  row(
    'R093',
    'offers to keep the connection for days',
    rawOpen(plain(200, 'ok', 'Keep-Alive: timeout=999999\r\n')),
    '200',
  ),
  row(
    'R094',
    'says close and stays open',
    rawOpen(plain(200, 'ok', 'Connection: close\r\n')),
    '200',
  ),
];

const STATUSES: readonly Row[] = [
  row('R097', '202', rawOpen(plain(202)), '202'),
  row('R098', '204', rawOpen('HTTP/1.1 204 No Content\r\n\r\n'), '204'),
  row('R099', '205', rawOpen(plain(205)), '205'),
  row('R100', '304', rawOpen('HTTP/1.1 304 Not Modified\r\n\r\n'), '304'),
  row('R106', '302 to a file', rawOpen(plain(302, '', 'Location: file:///etc/passwd\r\n')), '302'),
  row('R107', '302 without a Location', rawOpen(plain(302)), '302'),
  row('R109', '407', rawOpen(plain(407, '', 'Proxy-Authenticate: Basic\r\n')), '407'),
  row('R110', '410', rawOpen(plain(410)), '410'),
  row('R111', '417', rawOpen(plain(417)), '417'),
  row('R113', '451', rawOpen(plain(451)), '451'),
  row(
    'R121',
    'two Retry-After',
    rawOpen(plain(429, '', 'Retry-After: 1\r\nRetry-After: 2\r\n')),
    '429',
  ),
  row(
    'R122',
    'Retry-After of 5,000 digits',
    rawOpen(plain(429, '', `Retry-After: ${'9'.repeat(5000)}\r\n`)),
    '429',
  ),
  row(
    'R125',
    'a body that is not UTF-8',
    answers(Buffer.from('HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\na\xff\xf0\x9f', 'latin1')),
    '500',
  ),
  row('R126', 'Set-Cookie', rawOpen(plain(200, '', 'Set-Cookie: id=secret\r\n')), '200'),
  row('R127', 'Alt-Svc', rawOpen(plain(200, '', 'Alt-Svc: h3="127.0.0.2:443"\r\n')), '200'),
];

/** What a receiver can do to one request over plain HTTP. */
export const ROWS: readonly Row[] = [
  ...CONNECTION,
  ...SLOW,
  ...INTERIM,
  ...BODIES,
  ...BROKEN,
  ...KEEP_ALIVE,
  ...STATUSES,
];
