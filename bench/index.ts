/** `npm run bench`, and its namesakes `-- scale` and `-- isolation`. */
const BENCHES: Readonly<Record<string, string>> = {
  scale: './scale/main.ts',
  isolation: './isolation/main.ts',
};

await import(BENCHES[process.argv[2] ?? ''] ?? './main.ts');
