import type { Registration } from '../registration.ts';

/** A registration of everything, for tests that care about some of it. */
export function testRegistration(given: Partial<Registration> = {}): Registration {
  return {
    id: 'r1',
    tenant: 'a',
    webHookUri: 'https://receiver.example/',
    secret: 's',
    secretId: '#1',
    secretChangedAt: null,
    oldSecrets: [],
    description: null,
    isPaused: false,
    filters: ['*'],
    headers: [],
    properties: '{}',
    conditions: null,
    createdAt: 0,
    updatedAt: 0,
    switchedOff: null,
    ...given,
  };
}
