import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What a name server says of a name. */
export type DnsAnswer = {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  /** Names that the one asked for leads through, one after the other. */
  readonly CNAME?: readonly string[];
  readonly rcode?: keyof typeof RCODES;
  /** Says nothing at all. */
  readonly isSilent?: boolean;
};

export type DnsServer = {
  /** As `Resolver.setServers` takes it. */
  readonly at: string;
  /** Names asked for, with the kind of record. */
  readonly asked: readonly string[];
  readonly close: () => void;
};

const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };
const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA' };
const MAX_UDP = 1232;

/** A name server that says what a test wants, over UDP and, for what is too large, TCP. */
export async function dnsServer(
  answer: (name: string, type: string) => DnsAnswer,
  place: { readonly host: string; readonly port: number } = { host: '127.0.0.1', port: 0 },
): Promise<DnsServer> {
  const asked: string[] = [];
  const reply = (query: Buffer, most: number): Buffer | undefined => {
    const question = readQuestion(query);
    asked.push(`${question.name} ${question.type}`);
    const said = answer(question.name, question.type);
    return said.isSilent === true ? undefined : encode(query, question, { ...said, most });
  };
  const tcp = createServer((socket) => onQuery(socket, (query) => reply(query, 65_535)));
  tcp.listen(place.port, place.host);
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket(place.host.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (query, from) => {
    const message = reply(query, MAX_UDP);
    if (message !== undefined) udp.send(message, from.port, from.address);
  });
  udp.bind(port, place.host);
  await once(udp, 'listening');
  const close = (): void => {
    udp.close();
    tcp.close();
  };
  return {
    at: place.host.includes(':') ? `[${place.host}]:${port}` : `${place.host}:${port}`,
    asked,
    close,
  };
}

type Question = { readonly name: string; readonly type: string; readonly end: number };

function readQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  const type = TYPES[message.readUInt16BE(at + 1)] ?? 'other';
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 };
}

function encode(
  query: Buffer,
  question: Question,
  answer: DnsAnswer & { readonly most: number },
): Buffer {
  const chain = [question.name, ...(answer.CNAME ?? [])];
  const records = chain
    .slice(1)
    .map((target, index) => record(chain[index] ?? '', 5, encodeName(target)));
  const addresses = question.type === 'A' ? answer.A : question.type === 'AAAA' ? answer.AAAA : [];
  for (const address of addresses ?? []) {
    const data = Buffer.from(ipaddr.parse(address).toByteArray());
    records.push(record(chain.at(-1) ?? '', question.type === 'A' ? 1 : 28, data));
  }
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  const body = Buffer.concat([query.subarray(12, question.end), ...records]);
  const isCut = body.length + 12 > answer.most;
  header.writeUInt16BE(0x8180 | (isCut ? 0x200 : 0) | RCODES[answer.rcode ?? 'NOERROR'], 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isCut ? 0 : records.length, 6);
  return Buffer.concat([header, isCut ? query.subarray(12, question.end) : body]);
}

/** One resource record that may not be kept (TTL 0). */
function record(owner: string, type: number, data: Buffer): Buffer {
  const middle = Buffer.alloc(10);
  middle.writeUInt16BE(type, 0);
  middle.writeUInt16BE(1, 2);
  middle.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(owner), middle, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'));
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ]);
}

/** Answers each query of a TCP connection, in front of which its length stands. */
function onQuery(socket: Socket, reply: (query: Buffer) => Buffer | undefined): void {
  let waiting = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
      const end = 2 + waiting.readUInt16BE(0);
      const message = reply(waiting.subarray(2, end));
      waiting = waiting.subarray(end);
      if (message === undefined) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    }
  });
}
