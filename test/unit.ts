import { importTests } from './support/import-tests.js';

await importTests(new URL('unit/', import.meta.url));
