import { randomFillSync } from 'node:crypto';

/**
 * UUIDv7 written as 32 lower-case hexadecimal digits (`Guid "N"`): ids sort by the millisecond in
 * which they were made, and those of one process and millisecond in the order they were made.
 */
export type Id = string;

const RANDOM_POOL_BYTES = 4096;
const COUNTER_LIMIT = 0x1000;
const pool = Buffer.alloc(RANDOM_POOL_BYTES);
let poolOffset = RANDOM_POOL_BYTES;
let lastMs = 0;
/** The time that ids begin with, written once a millisecond. */
let time = idAt(lastMs);
let counter = 0;

/** A new id for the given time. Never goes backwards, even when the clock does. */
export function newId(nowMs: number): Id {
  advance(nowMs);
  const sequence = (0x7000 | counter).toString(16);
  return time + sequence + randomTail();
}

/** True for what `newId` and Microsoft's `Guid "N"` write. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** The millisecond an id was made in. */
export function idTime(id: Id): number {
  return Number.parseInt(id.slice(0, 12), 16);
}

/** The lowest that an id of this millisecond can begin with: times bound ids. */
export function idAt(ms: number): string {
  return Math.max(0, ms).toString(16).padStart(12, '0');
}

/** 32 random lower-case hexadecimal digits: echo tokens and generated secrets. */
export function randomHex32(): string {
  return randomFillSync(Buffer.alloc(16)).toString('hex');
}

function advance(nowMs: number): void {
  if (nowMs > lastMs) return begin(nowMs);
  counter += 1;
  if (counter === COUNTER_LIMIT) begin(lastMs + 1);
}

function begin(ms: number): void {
  lastMs = ms;
  time = idAt(ms);
  counter = 0;
}

/** 64 bits: the variant `10` and 62 random ones. */
function randomTail(): string {
  if (poolOffset + 8 > RANDOM_POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const first = ((pool[poolOffset] ?? 0) & 0x3f) | 0x80;
  pool[poolOffset] = first;
  const tail = pool.toString('hex', poolOffset, poolOffset + 8);
  poolOffset += 8;
  return tail;
}
