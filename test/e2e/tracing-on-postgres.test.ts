import { usePostgres } from './harness.ts';

// The same tests on the other store.
usePostgres();
await import('./tracing.test.ts');
