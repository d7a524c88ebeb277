import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const SERVER = fileURLToPath(new URL('../../packages/server/src', import.meta.url));

/** Modules of Node that can neither open a socket nor start something that does. */
const HARMLESS: ReadonlySet<string> = new Set(
  'async_hooks buffer crypto diagnostics_channel events fs fs/promises os path perf_hooks process sqlite stream stream/promises string_decoder timers timers/promises url util util/types v8 worker_threads zlib'
    .split(' ')
    .map((name) => `node:${name}`),
);

/** Packages, with the folder that alone may import those which open sockets. */
const PACKAGES: Readonly<Record<string, string>> = {
  nodemailer: 'egress/',
  pg: 'store/postgres/',
  fastify: '',
  '@opentelemetry/api': 'telemetry/',
  '@fastify/swagger': 'api/',
  '@fastify/swagger-ui': 'api/',
  '@prometheus-io/client': 'telemetry/',
  ajv: '',
  commander: 'cli/',
  'ipaddr.js': '',
  pino: 'telemetry/',
  'pino-pretty': 'telemetry/',
  typebox: '',
};

/** Other ways to a socket, a process or a module than an import that can be read. */
const BACK_DOORS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['a global that sends', /(?<![\w.$#])(fetch|WebSocket|EventSource|XMLHttpRequest)\b/],
  ['a global that sends', /\b(globalThis|global|self|navigator)\b\s*[.[]/],
  ['globalThis', /\bglobalThis\b/],
  ['an import at run time', /(?<![\w.$])import\s*\(/],
  ['require', /(?<![\w.$])require\s*\(|createRequire/],
  ['an inner module', /process\s*\.\s*(binding|_linkedBinding|dlopen)|getBuiltinModule/],
  ['process by another name', /=\s*process\s*;|\bprocess\s*\[/],
  ['code from text', /(?<![\w.$])eval\s*\(|new\s+Function\b|\beval\s*:\s*true/],
];

type Source = { readonly file: string; readonly text: string };

function sources(): Source[] {
  return readdirSync(SERVER, { recursive: true, encoding: 'utf8' })
    .filter(
      (file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)testing\/|contract\.ts$/.test(file),
    )
    .map((file) => ({ file, text: readFileSync(join(SERVER, file), 'utf8') }));
}

/** What in a source could open a socket to the outside; nothing for egress itself. */
function waysOut({ file, text }: Source): string[] {
  if (file.startsWith('egress/')) return [];
  const code = withoutComments(text);
  return [
    ...importsOf(code).filter((module) => !isHarmless(module, file)),
    ...BACK_DOORS.filter(([, pattern]) => pattern.test(withoutTexts(code))).map(([name]) => name),
  ];
}

/** Whatever stands behind `from` or `import`; what is imported as types alone is not there at run time. */
function importsOf(code: string): string[] {
  const statements = code.matchAll(
    /(?:^|[;}\n])\s*(?:import|export)\b(?!\s+type\b)(?:[^'";]*?\bfrom\s*|\s*)['"]([^'"]+)['"]/g,
  );
  return [...statements].map(([, module = '']) => module);
}

function isHarmless(module: string, file: string): boolean {
  if (module.startsWith('.')) return true;
  const name = module.split('/', module.startsWith('@') ? 2 : 1).join('/');
  const folder = PACKAGES[name];
  return HARMLESS.has(module) || (folder !== undefined && file.startsWith(folder));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}

/** Words in help and messages open nothing; what a template computes stays. */
function withoutTexts(code: string): string {
  return code.replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''").replaceAll(/`[^`$]*`/g, '``');
}

test('only egress can open outbound sockets, look up names or start processes', () => {
  const all = sources();
  assert.ok(all.length > 60);
  const found = all.flatMap((source) => waysOut(source).map((way) => `${source.file}: ${way}`));
  assert.deepEqual(found, []);
});

test('the rule sees every way out that it knows of', () => {
  const cheats = [
    "import { connect } from 'node:net';",
    "import { type Socket, connect } from 'node:net';",
    "import net from 'net';",
    "import {\n  lookup,\n} from 'node:dns';",
    "export { request } from 'node:https';",
    "import 'node:http2';",
    "import { exec } from 'node:child_process';",
    "import { createSocket } from 'node:dgram';",
    "import { createRequire } from 'node:module';",
    "import inspector from 'node:inspector';",
    "import { request } from 'undici';",
    "import axios from 'axios';",
    "import pg from 'pg';",
    "const { connect } = await import('node:net');",
    "const net = require('node:net');",
    "process.getBuiltinModule('node:net').connect(80);",
    "process.binding('tcp_wrap');",
    "const p = process;\np.binding('tcp_wrap');",
    "process['binding']('tcp_wrap');",
    "await fetch('http://10.0.0.1/');",
    'const send = fetch;',
    "globalThis.fetch('http://10.0.0.1/');",
    "globalThis['fet' + 'ch']('http://10.0.0.1/');",
    'const here = globalThis;',
    "new WebSocket('ws://10.0.0.1/');",
    "new EventSource('http://10.0.0.1/');",
    "navigator.sendBeacon('http://10.0.0.1/');",
    'eval("fetch(1)");',
    "new Function('return fetch')();",
    "new Worker('fetch(1)', { eval: true });",
    '`${await fetch(uri)}`;',
  ];
  const unseen = cheats.filter((text) => waysOut({ file: 'service/cheat.ts', text }).length === 0);
  assert.deepEqual(unseen, []);
});

test('the rule lets harmless code be', () => {
  const text = [
    "import type { AddressInfo } from 'node:net';",
    "import { readFileSync } from 'node:fs';",
    "import { Type } from 'typebox';",
    "import { known } from '../core/known.ts';",
    '// fetch(uri) would be wrong here',
    "const sentence = 'Do not fetch(this).';",
    'await library.fetch(uri);',
  ].join('\n');
  assert.deepEqual(waysOut({ file: 'service/good.ts', text }), []);
});
