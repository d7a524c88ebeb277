import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-refusal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A data folder that a server has used, and its database. */
async function used(name: string): Promise<{ dataDir: string; path: string }> {
  const dataDir = join(folder, name);
  const server = await startServerProcess({ dataDir, port: 0 });
  await endProcess(server.process);
  return { dataDir, path: join(dataDir, 'schoolbell.db') };
}

/** A start on this folder is refused in one sentence, not in a stack of our own code. */
async function refused(dataDir: string, sentence: RegExp): Promise<void> {
  await assert.rejects(startServerProcess({ dataDir, port: 0 }), (error: Error) => {
    const output = error.message.split('\n').slice(1).join('\n');
    assert.match(output, sentence);
    assert.doesNotMatch(output, /^\s+at /m);
    return true;
  });
}

test('a second server on the same data folder is told to stop the first', async () => {
  const dataDir = join(folder, 'twice');
  const first = await startServerProcess({ dataDir, port: 0 });
  await refused(dataDir, /is in use by another process\. Stop that one first/);
  assert.equal((await fetch(`${first.url}/health/ready`)).status, 200);
  await endProcess(first.process);
});

test('a database that was copied in part is refused with what to do', async () => {
  const { dataDir, path } = await used('cut');
  truncateSync(path, statSync(path).size - 8192);
  await refused(dataDir, /is cut short: \d+ of \d+ bytes are there\. Restore it from a backup/);
});

test('a file that is no database is refused with what to do', async () => {
  const { dataDir, path } = await used('noise');
  writeFileSync(path, 'this is not a database. '.repeat(1000));
  await refused(dataDir, /is damaged or not a database\. Restore it from a backup/);
});

test('a database whose pages are overwritten is refused with what to do', async () => {
  const { dataDir, path } = await used('overwritten');
  const size = statSync(path).size;
  const database = new DatabaseSync(path);
  const pageSize = Number(database.prepare('pragma page_size').get()?.['page_size']);
  database.close();
  truncateSync(path, pageSize);
  truncateSync(path, size);
  await refused(dataDir, /store.* damaged.* Restore it from a backup/);
});

test("another program's database is left alone", async () => {
  const { dataDir, path } = await used('foreign');
  rmSync(path);
  const foreign = new DatabaseSync(path);
  foreign.exec('create table events (mine text); pragma user_version = 1');
  foreign.close();
  await refused(dataDir, /is the database of another program\. Restore it from a backup, or move/);
  const again = new DatabaseSync(path);
  assert.equal(again.prepare('select count(*) as n from sqlite_master').get()?.['n'], 1);
  again.close();
});
