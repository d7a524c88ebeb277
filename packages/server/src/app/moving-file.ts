import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { ConfigError } from '../config/config.ts';
import { MOVED, type MovedKind, type MovedPage, type MovedRow } from '../store/moving.ts';
import { VERSION } from '../version.ts';

/**
 * The first line of an exported installation, which is gzipped lines of JSON: this, then a line for
 * each row (its kind and its values), then a line with how many there were and the SHA-256 of
 * everything before it.
 */
export type Head = {
  readonly Schoolbell: 'export';
  /** Of the lines; which columns rows have is in `Columns`. */
  readonly Format: number;
  /** Names this export: an import that is run again knows by it where to go on. */
  readonly Id: string;
  readonly MadeAt: string;
  readonly Version: string;
  readonly Columns: Readonly<Record<string, readonly string[]>>;
  readonly Rows: number;
  readonly LastPlace: number;
  /** Tells a wrong encryption key; null where none was ever used. */
  readonly EncryptionCheck: string | null;
};

type Foot = { readonly Rows: number; readonly Sha256: string };

const FORMAT = 1;
/** Rows of JSON are compressed to a tenth at once; more effort takes longer than the rest. */
const GZIP_LEVEL = 3;
/** No row is nearly so long: a publication has a megabyte at most. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 10;

export type HeadFields = Pick<Head, 'Id' | 'Rows' | 'LastPlace' | 'EncryptionCheck'>;

/** A file that is written beside its place, and put there when it is whole. */
export type FileWriter = {
  readonly write: (page: MovedPage) => Promise<void>;
  /** Ends the file, on disk; how many rows it has. */
  readonly finish: () => Promise<number>;
  /** Leaves what was written for the next run to begin again. */
  readonly abandon: () => void;
};

/** Begins `<path>.part` anew. */
export async function openFileWriter(path: string, fields: HeadFields): Promise<FileWriter> {
  const part = `${path}.part`;
  rmSync(part, { force: true });
  const out = compressing(part);
  const hash = createHash('sha256');
  let rows = 0;

  async function putHashed(text: string): Promise<void> {
    hash.update(text);
    await out.write(text);
  }

  await putHashed(`${JSON.stringify(headOf(fields))}\n`);
  return {
    write: async ({ kind, rows: page }) => {
      rows += page.length;
      await putHashed(page.map((row) => `${JSON.stringify([kind, ...row])}\n`).join(''));
    },
    finish: async () => {
      const foot: Foot = { Rows: rows, Sha256: hash.digest('hex') };
      await out.write(`${JSON.stringify(foot)}\n`);
      await out.end();
      renameSync(part, path);
      return rows;
    },
    abandon: out.destroy,
  };
}

type Out = {
  /** Resolves when there is room for more. */
  readonly write: (text: string) => Promise<void>;
  /** Resolves when all is on disk. */
  readonly end: () => Promise<void>;
  readonly destroy: () => void;
};

function compressing(path: string): Out {
  const gzip = createGzip({ level: GZIP_LEVEL });
  const written = pipeline(
    gzip,
    createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }),
  );
  let failure: { readonly cause: unknown } | undefined;
  let goOn: (() => void) | undefined;
  gzip.on('drain', () => goOn?.());
  written.catch((cause: unknown) => {
    failure = { cause };
    goOn?.();
  });
  return {
    write: async (text) => {
      if (failure === undefined && !gzip.write(text)) {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      }
      if (failure !== undefined) throw failure.cause;
    },
    end: () => {
      gzip.end();
      return written;
    },
    destroy: () => gzip.destroy(),
  };
}

function headOf(fields: HeadFields): Head {
  const own = { Schoolbell: 'export', Format: FORMAT, MadeAt: new Date().toISOString() } as const;
  return { ...own, Version: VERSION, Columns: MOVED, ...fields };
}

/** The first line. Throws ConfigError with a sentence for a file that this version cannot read. */
export async function readHead(path: string): Promise<Head> {
  for await (const lines of linesOf(path)) {
    const [line] = lines;
    if (line !== undefined) return judgeHead(path, parse(line));
  }
  throw notAnExport(path);
}

function judgeHead(path: string, read: unknown): Head {
  const head = read as Partial<Head> | undefined;
  if (head?.Schoolbell !== 'export') throw notAnExport(path);
  const isKnown = head.Format === FORMAT && JSON.stringify(head.Columns) === JSON.stringify(MOVED);
  if (isKnown) return head as Head;
  throw new ConfigError(
    `${path} was made by Schoolbell ${head.Version}, whose rows are not those of this version, ${VERSION}. Import it with that version, and upgrade then.`,
  );
}

function notAnExport(path: string): ConfigError {
  return new ConfigError(`${path} was not made by \`schoolbell export\`.`);
}

/** A row, and its place in the file. */
export type FileRow = { readonly kind: MovedKind; readonly row: MovedRow; readonly bytes: number };

/**
 * Every row after the first `skip`, which are not looked into. Throws ConfigError with a sentence
 * where the file is cut short or is not what was written; the last row has been given by then.
 */
export async function* readRows(path: string, skip = 0): AsyncGenerator<FileRow[]> {
  const hash = createHash('sha256');
  let previous: Buffer | undefined;
  let seen = -1;
  for await (const lines of linesOf(path)) {
    const rows: FileRow[] = [];
    for (const line of lines) {
      // The last line is not of what it is about.
      if (previous !== undefined) {
        hash.update(previous);
        if (seen >= 0 && seen >= skip) rows.push(toRow(path, previous));
        seen += 1;
      }
      previous = line;
    }
    yield rows;
  }
  const foot = previous === undefined ? undefined : (parse(previous) as Partial<Foot> | undefined);
  if (foot?.Rows === undefined || foot.Sha256 === undefined) throw cutShort(path);
  if (foot.Rows !== seen || foot.Sha256 !== hash.digest('hex')) throw changed(path);
}

function toRow(path: string, line: Buffer): FileRow {
  const read = parse(line);
  if (!Array.isArray(read) || !Object.hasOwn(MOVED, String(read[0]))) throw changed(path);
  const [kind, ...row] = read as [MovedKind, ...MovedRow];
  if (row.length !== MOVED[kind].length) throw changed(path);
  return { kind, row, bytes: line.length };
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
}

function cutShort(path: string): ConfigError {
  return new ConfigError(
    `${path} is cut short: its last line, which says how many rows there are, is missing. Copy it again, or export again.`,
  );
}

function changed(path: string): ConfigError {
  return new ConfigError(
    `${path} is not as it was written: its rows do not have the digest that it ends with. Copy it again, or export again.`,
  );
}

/** Whole lines, each with its end, as they come out of the file: some at a time. */
async function* linesOf(path: string): AsyncGenerator<readonly Buffer[]> {
  if (!existsSync(path)) throw new ConfigError(`There is no file ${path}.`);
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // A file that cannot be read ends the reading of what comes out, which throws.
  pipeline(file, gunzip).catch(() => undefined);
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = text.lastIndexOf(NEWLINE) + 1;
      rest = text.subarray(end);
      if (rest.length > MAX_LINE_BYTES) throw notAnExport(path);
      yield split(text.subarray(0, end));
    }
    if (rest.length > 0) throw cutShort(path);
  } catch (error) {
    throw toSentence(path, error);
  } finally {
    file.destroy();
  }
}

function split(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < text.length;) {
    const end = text.indexOf(NEWLINE, from) + 1;
    lines.push(text.subarray(from, end));
    from = end;
  }
  return lines;
}

/** What zlib says of a file that ends early or was changed. */
function toSentence(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return cutShort(path);
  if (code !== 'Z_DATA_ERROR') return error;
  return /header/.test(String(error)) ? notAnExport(path) : changed(path);
}
