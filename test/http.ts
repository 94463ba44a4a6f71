import { importTests } from './support/import-tests.js';

await importTests(new URL('http/', import.meta.url));
