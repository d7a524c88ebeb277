import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { isOwnListener } from './own-listener.ts';

const listensOn =
  (...addresses: string[]) =>
  (address: string, port = 8365): boolean =>
    isOwnListener(
      addresses.map((own) => ({ address: own, port: 8365 })),
      { address, port },
    );

test('a listener is reached at its address and port, however the address is written', () => {
  const isOwn = listensOn('127.0.0.1', '::1');
  for (const address of [
    '127.0.0.1',
    '::ffff:127.0.0.1',
    '::1',
    '0:0:0:0:0:0:0:1',
    '0.0.0.0',
    '::',
  ])
    assert.ok(isOwn(address), address);
  for (const address of ['127.0.0.2', '10.0.0.1', '93.184.216.34'])
    assert.ok(!isOwn(address), address);
  assert.ok(!isOwn('127.0.0.1', 8366));
});

test('a listener on all addresses is reached at each of this machine, and at no other', () => {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  for (const wildcard of ['0.0.0.0', '::']) {
    const isOwn = listensOn(wildcard);
    for (const { address } of addresses) assert.ok(isOwn(address), address);
    for (const address of ['127.0.0.1', '127.8.9.1', '::1', '0.0.0.0', '::ffff:127.0.0.1'])
      assert.ok(isOwn(address), address);
    for (const address of ['93.184.216.34', '2606:4700:4700::1111'])
      assert.ok(!isOwn(address), address);
  }
});
