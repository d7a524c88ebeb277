/** `npm run bench`, and its namesakes `-- scale`, `-- isolation` and `-- search`. */
const BENCHES: Readonly<Record<string, string>> = {
  scale: './scale/main.ts',
  isolation: './isolation/main.ts',
  search: './search/main.ts',
};

await import(BENCHES[process.argv[2] ?? ''] ?? './main.ts');
