import { usePostgres } from './harness.ts';

// The same test on the other store.
usePostgres();
await import('./erasure-killed.test.ts');
