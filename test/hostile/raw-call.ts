import { connect } from 'node:net';

export type RawAnswer = {
  /** 0 where the connection ended without an answer. */
  readonly status: number;
  /** By lower-case name; the last of repeated ones. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

export type RawCall = {
  readonly port: number;
  /** What is written, piece after piece, until the server answers or closes. */
  readonly pieces: Iterable<Buffer | string>;
  /** Waits so long before each piece but the first. */
  readonly pauseMs?: number;
};

/** Writes bytes as they are to a server and reads all of its answers until it closes. */
export async function rawAnswers({ port, pieces, pauseMs = 0 }: RawCall): Promise<RawAnswer[]> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  let closed = false;
  socket.on('data', (chunk) => chunks.push(chunk));
  const end = new Promise<void>((resolve) =>
    socket.once('close', () => {
      closed = true;
      resolve();
    }),
  );
  // A server that has answered and closed resets what is still being written.
  socket.on('error', () => undefined);
  let first = true;
  for (const piece of pieces) {
    if (!first && pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    first = false;
    if (closed || chunks.length > 0) break;
    if (!socket.write(piece)) await Promise.race([end, drained(socket)]);
  }
  await end;
  return parseAnswers(Buffer.concat(chunks));
}

/** The only answer, or the first. */
export async function rawCall(call: RawCall): Promise<RawAnswer> {
  const [answer] = await rawAnswers(call);
  return answer ?? { status: 0, headers: new Map(), body: '' };
}

function drained(socket: ReturnType<typeof connect>): Promise<void> {
  return new Promise((resolve) => socket.once('drain', () => resolve()));
}

function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) break;
    const [statusLine = '', ...lines] = rest.toString('latin1', 0, headEnd).split('\r\n');
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0);
    const length = Number(headers.get('content-length') ?? 0);
    const chunked = headers.get('transfer-encoding') === 'chunked';
    const end = chunked ? rest.length : headEnd + 4 + length;
    answers.push({ status, headers, body: rest.toString('utf8', headEnd + 4, end) });
    rest = rest.subarray(end);
  }
  return answers;
}
