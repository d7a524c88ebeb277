import { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { DatabaseSync, StatementSync } from 'node:sqlite';

/**
 * Loaded into a server before its own code, in every thread: the process kills itself at the
 * given passing of the named place. The server itself knows nothing of it.
 */
const [point = '', passing = '1'] = (process.env['CRASH_POINT'] ?? '').split(':');
let left = Number(passing);

function pass(name: string): void {
  if (name !== point) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

/** What the writer did since its transaction began. */
let written: 'accept' | 'settle' | 'claim' | undefined;

const WRITES: readonly [pattern: RegExp, kind: 'accept' | 'settle' | 'claim'][] = [
  [/^\s*insert into events/, 'accept'],
  [/^\s*insert into attempts/, 'settle'],
  [/^\s*update deliveries\s+set leased = \?/, 'claim'],
];

const run = Reflect.get(StatementSync.prototype, 'run') as (...values: unknown[]) => unknown;
StatementSync.prototype.run = function runOrCrash(...values: never[]) {
  const kind = WRITES.find(([pattern]) => pattern.test(this.sourceSQL))?.[1];
  if (kind !== undefined) pass(`before ${kind}`);
  const result = Reflect.apply(run, this, values) as ReturnType<StatementSync['run']>;
  if (kind !== undefined) {
    written = kind;
    pass(`after ${kind}`);
  }
  return result;
};

const exec: (sql: string) => void = Reflect.get(DatabaseSync.prototype, 'exec');
DatabaseSync.prototype.exec = function execOrCrash(sql: string) {
  const kind = written;
  if (sql.includes('user_version =')) pass('before migration');
  if (sql === 'commit' && kind !== undefined) pass(`before commit of ${kind}`);
  Reflect.apply(exec, this, [sql]);
  if (sql.includes('user_version =')) pass('after migration');
  if (sql !== 'commit' || kind === undefined) return;
  written = undefined;
  pass(`after commit of ${kind}`);
};

const writeHead = Reflect.get(ServerResponse.prototype, 'writeHead') as (
  ...values: unknown[]
) => ServerResponse;
ServerResponse.prototype.writeHead = function writeHeadOrCrash(...values: never[]) {
  const isAcceptance = (values as unknown[])[0] === 202;
  if (isAcceptance) pass('before 202');
  Reflect.apply(writeHead, this, values);
  if (isAcceptance) this.once('finish', () => pass('after 202'));
  return this;
};

const write = Reflect.get(Socket.prototype, 'write') as (...values: unknown[]) => boolean;
Socket.prototype.write = function writeOrCrash(...values: never[]) {
  const isPost = startsWith((values as unknown[])[0], 'POST ');
  if (isPost) pass('before post');
  const isRoom = Reflect.apply(write, this, values);
  if (isPost) pass('after post');
  return isRoom;
};

const push = Reflect.get(Socket.prototype, 'push') as (...values: unknown[]) => boolean;
Socket.prototype.push = function pushOrCrash(...values: never[]) {
  if (startsWith((values as unknown[])[0], 'HTTP/1.1 ')) pass('answer read');
  return Reflect.apply(push, this, values);
};

function startsWith(bytes: unknown, text: string): boolean {
  return Buffer.isBuffer(bytes) && bytes.toString('latin1', 0, text.length) === text;
}
