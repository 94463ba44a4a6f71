import { importTests } from './support/import-tests.js';

await importTests(new URL('storage/', import.meta.url));
